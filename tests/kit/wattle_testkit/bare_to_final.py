"""`make wheel-run`: from a bare board to a meter whose first sample is final, from the wheel alone.

The commands are those that a technician and an operator type, each from the installed wheel: the
real esptool and mpremote fill an emulated ESP32 on a pty with the whole firmware; provisioned, it
has this machine's network, and a real gateway with its broker takes what it signs. Afterwards
`ecdsa` verifies proof and samples without any code of ours. The same gateway then takes a Linux
board, whose firmware runs out of the wheel, too.
"""

import csv
import hashlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cbor2
from wattle_hil import parts
from wattle_hil.children.free_port import free_ports
from wattle_hil.children.processes import Process, ProcessGroup
from wattle_hil.parts import PartMissingError
from wattle_hil.parts.folder import build_folder

from wattle_testkit.installed_wheel import InstalledWheel, NoPackageIndexError
from wattle_testkit.spec_reader import opened
from wattle_testkit.technician import PASSWORD, SITE, WIFI
from wattle_testkit.waiting import until

LIMIT_S = 120.0
# So many samples, one a second, are waited for: a meter that starts and stops is none.
GOES_ON = 5
# Under what `wattle-hil boards --metered` has as its load.
_CHECK = ("--load-w", "2000", "--rounds", "1", "--json")
_START_S = 30.0
_FINAL_S = 60.0
_STOP_S = 15.0

Result = TypeVar("Result")


@dataclass
class Outcome:
    """What came of a run. `shown`: what `wattle-tool boards` says of the board at the end; `row`:
    what `meters list` says of the meter; `checked`: what `check` says under the known load; proof
    and samples as the ledger's export has them; `linux_row`: what `meters list` says of the Linux
    board.
    """

    steps: list[tuple[str, float]] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)
    checked: dict[str, Any] = field(default_factory=dict)
    ledger_id: bytes = b""
    proof: bytes = b""
    samples: list[bytes] = field(default_factory=list)
    linux_row: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took from the bare board to the final sample."""
        return sum(seconds for _, seconds in self.steps)

    def timed(self, step: str, do: Callable[[], Result]) -> Result:
        """Does one step and notes how long it took."""
        began = time.monotonic()
        result = do()
        self.steps.append((step, time.monotonic() - began))
        return result


def installed(folder: Path) -> InstalledWheel:
    """The wheel for a run. Raises NoPackageIndexError, ProcessError, PartMissingError."""
    environment = {
        # The emulated board is made of it; no command of the technician's uses it.
        "WATTLE_BUILD": str(build_folder()),
        "WATTLE_WIFI_PASSWORD": PASSWORD,
        "WATTLE_TECHNICIAN": "ada",
    }
    return InstalledWheel(folder, environment)


def bare_to_final(wheel: InstalledWheel, *, microcontroller: bool = False) -> Outcome:
    """The run. `microcontroller`: first the whole firmware goes on an emulated Cortex-M3, too,
    which is more of a board and has no network. Raises ProcessError or AssertionError that says
    which step failed.
    """
    outcome = Outcome()
    gateway = wheel.folder / "gateway"
    broker_port = str(free_ports(1)[0])
    with ProcessGroup() as group:
        wheel.run("wattle-gateway", "init", gateway, "--port", broker_port, "--site", SITE)
        running = group.start(wheel.process("wattle-gateway", "run", gateway))
        _said(running, "connected to the broker")
        image = wheel.folder / "interpreter.bin"
        words = ["boards", "--bare", "--metered", "--image", str(image)]
        words += ["--cortex-m3"] if microcontroller else []
        boards = group.start(wheel.process("wattle-hil", *words))
        ports = [row.split()[0] for row in _said(boards, "until Ctrl-C").splitlines()]
        if microcontroller:
            flash = ("flash", "--port", ports[1])
            outcome.timed("flash a microcontroller", lambda: wheel.run("wattle-tool", *flash))
        port = ports[0]
        _fill(wheel, port, image, outcome)
        _provision(wheel, port, gateway, outcome)
        following = ("samples", gateway, "--raw", "--follow", "--format", "csv")
        samples = group.start(wheel.process("wattle-gateway", *following))
        outcome.timed("first sample final", lambda: _samples(samples, 1))
        outcome.samples = _samples(samples, GOES_ON)
        linux = _linux(wheel, group, gateway, samples, outcome)
        listed = wheel.run("wattle-gateway", "meters", "list", gateway, "--format", "json")
        rows = {row["meter"]: row for row in json.loads(listed)}
        outcome.linux_row = rows.pop(linux)
        [outcome.row] = rows.values()
        [outcome.shown] = _boards(wheel, port)
        outcome.checked = json.loads(wheel.run("wattle-tool", "check", *_CHECK, "--port", port))
        running.stop(_STOP_S)
    wheel.run("wattle-gateway", "audit", gateway)
    wheel.run("wattle-tool", "audit")
    return outcome


def _fill(wheel: InstalledWheel, port: str, image: Path, outcome: Outcome) -> None:
    [found] = outcome.timed("boards", lambda: _boards(wheel, port))
    assert found["state"] == "no interpreter", found
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    words = ("flash", "--port", port, "--image", image, "--accept-image", digest)
    outcome.timed("flash", lambda: wheel.run("wattle-tool", *words))


def _provision(wheel: InstalledWheel, port: str, gateway: Path, outcome: Outcome) -> None:
    """Provisions and enrols it; notes the proof that it gave."""
    words = ["provision", "--port", port, "--output", str(wheel.folder), *WIFI]
    words += ["--profile", "sdm120", "--site-file", str(gateway / "site.json")]
    words += ["--enrol-through", wheel.command("wattle-gateway"), "--gateway-folder", str(gateway)]
    outcome.timed("provision and enrol", lambda: wheel.run("wattle-tool", *words))
    [file] = wheel.folder.glob("*.enrol.json")
    row = json.loads(file.read_text())
    outcome.ledger_id, outcome.proof = (bytes.fromhex(row[key]) for key in ("ledger_id", "proof"))


def _linux(
    wheel: InstalledWheel, group: ProcessGroup, gateway: Path, following: Process, outcome: Outcome
) -> str:
    """A Linux board with an emulated SDM120 becomes a meter whose first sample is final; gives its
    id. `following`: the ledger's samples as they come.
    """
    folder, port = wheel.folder / "linux-board", wheel.folder / "ttyRS485"
    interpreter = parts.micropython(64)
    device = ("device", "sdm120", "--shape", "kettle", "--port", port)
    _said(group.start(wheel.process("wattle-hil", *device)), "Ctrl-C ends it")
    words: list[str | Path] = [
        "provision",
        folder,
        "--site-file",
        gateway / "site.json",
        "--profile",
        "sdm120",
    ]
    words += ["--port", port, "--micropython", interpreter, "--json"]
    told = outcome.timed("provision a Linux board", lambda: wheel.run("wattle-tool", *words))
    provisioned = json.loads(told)
    certificate = wheel.folder / "linux-tls.pem"
    words = ["enrol", provisioned["enrolment_file"], "--through", wheel.command("wattle-gateway")]
    words += ["--gateway-folder", gateway, "--certificate", certificate]
    outcome.timed("enrol it", lambda: wheel.run("wattle-tool", *words))
    wheel.run("wattle-tool", "certificate", folder, certificate)
    group.start(wheel.meter(interpreter, folder))
    meter = provisioned["meter"]
    outcome.timed("its first sample final", lambda: _samples(following, 1, meter))
    return str(meter)


def _boards(wheel: InstalledWheel, port: str) -> list[dict[str, Any]]:
    found = json.loads(wheel.run("wattle-tool", "boards", "--port", port, "--json"))
    rows: list[dict[str, Any]] = found["boards"]
    return rows


def _said(process: Process, words: str) -> str:
    """All that it printed, once it has said these words."""

    def text() -> str:
        process.check()
        said = process.log.read_text()
        return said if words in said else ""

    return until(text, _START_S, f"{process.name} says {words!r}")


def _samples(process: Process, count: int, meter: str = "") -> list[bytes]:
    """The signed samples on the ledger, of one meter or of all, as soon as there are so many."""

    def found() -> list[bytes]:
        process.check()
        whole = process.log.read_text().rpartition("\n")[0]
        rows = csv.DictReader(io.StringIO(whole))
        signed = {row["raw"]: None for row in rows if meter in ("", row["meter"])}
        return [bytes.fromhex(raw) for raw in signed] if len(signed) >= count else []

    return until(found, _FINAL_S, f"{count} sample(s) on the ledger")


def verify(outcome: Outcome) -> int:
    """The proof of possession, and every sample under the key that it names, by `ecdsa` over what
    cbor2 reads; gives how many samples. Raises AssertionError or ecdsa's BadSignatureError.
    """
    public = cbor2.loads(cbor2.loads(outcome.proof).value[2])[1]
    opened("enrol", outcome.ledger_id, outcome.proof, public)
    for sample in outcome.samples:
        opened("sample", outcome.ledger_id, sample, public)
    return len(outcome.samples)


def _has_microcontroller() -> bool:
    try:
        parts.board()
    except PartMissingError as error:
        print(f"without the emulated microcontroller: {error}")
        return False
    return True


def main() -> int:
    """Runs it and says how long each step took; exit code 1 when it took too long."""
    with tempfile.TemporaryDirectory(prefix="wattle-wheel-") as folder:
        began = time.monotonic()
        try:
            wheel = installed(Path(folder))
        except NoPackageIndexError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{time.monotonic() - began:6.1f} s  built and installed: wattle-grid[tools]")
        outcome = bare_to_final(wheel, microcontroller=_has_microcontroller())
    for step, seconds in outcome.steps:
        print(f"{seconds:6.1f} s  {step}")
    print(f"check: {', '.join(one['level'] for one in outcome.checked['findings'])}")
    print(f"{outcome.seconds:6.1f} s  from bare boards to final samples, in all")
    for row in (outcome.row, outcome.linux_row):
        print(f"meter {row['meter']}, key protection {row['protection']}, final {row['final']}")
    print(f"ecdsa verifies its proof of possession and {verify(outcome)} samples")
    return 0 if outcome.seconds < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
