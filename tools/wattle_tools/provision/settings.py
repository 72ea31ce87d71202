"""The files that make an ESP32 the meter of a place, and the firmware's own checks of them.

The checks run on this machine, by the modules of the firmware that the tool carries, before
anything is written: what they refuse, the board would refuse at its next start, when nobody is
there any more.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattle_tools import board_folder
from wattle_tools.board_folder import BoardChoice
from wattle_tools.errors import SettingsError
from wattle_tools.site_file import SiteFile

CONFIG = "/config.json"
_CHECK_S = 30.0


@dataclass(frozen=True)
class Esp32Choice:
    """What a technician decides for one ESP32: the meter's settings, the file of its pins
    (firmware/BOARDS.md), and the wireless network.
    """

    meter: BoardChoice
    board_file: str
    ssid: str
    password: str


@dataclass(frozen=True)
class Settings:
    """`files` by their path on the board; `digest`: SHA-256 (hex) of them without the password,
    which a digest that travels would let others guess. `site` and `ledger_id` as in the files.
    """

    files: Mapping[str, bytes]
    digest: str
    site: str
    ledger_id: bytes


def settings(site: SiteFile, choice: Esp32Choice, firmware: Path) -> Settings:
    """The files of a meter at `site`, unchecked. Raises SettingsError for an unknown profile,
    load or board file.
    """
    gateways = board_folder.preferred([site])
    found: dict[str, bytes] = {}
    names = {
        "profiles": {row.profile for row in choice.meter.devices},
        "loads": {row.kind for row in choice.meter.loads},
        "boards": {choice.board_file},
    }
    for kind, wanted in names.items():
        for name in sorted(wanted):
            found[f"/{kind}/{name}.json"] = _shipped(firmware, kind, name)
    for at, gateway in enumerate(gateways):
        found[f"/{board_folder.authority_name(at)}"] = gateway.authority

    def config(password: str) -> bytes:
        wifi = {"ssid": choice.ssid, "password": password}
        board: dict[str, object] = {"file": choice.board_file, "wifi": wifi}
        row = board_folder.configuration(site, gateways, choice.meter, board)
        return (json.dumps(row, indent=1) + "\n").encode()

    digest = hashlib.sha256()
    for path, data in [*sorted(found.items()), (CONFIG, config(""))]:
        digest.update(f"{path} {hashlib.sha256(data).hexdigest()}\n".encode())
    files = {**found, CONFIG: config(choice.password)}
    return Settings(files, digest.hexdigest(), choice.meter.site or site.site, site.ledger_id)


def check(made: Settings, firmware: Path, machine: str) -> str:
    """Has the firmware check the settings for the board that MicroPython calls `machine`; gives
    in a line what it will do. Raises SettingsError with what it refuses.
    """
    with tempfile.TemporaryDirectory(prefix="wattle-settings-") as folder:
        for path, data in made.files.items():
            target = Path(folder + path)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", _PROGRAM, str(firmware), folder, machine],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_CHECK_S,
                check=True,
            )
            answer = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise SettingsError(
                f"the firmware's checks cannot be run: {error}", "install wattle-grid[tools] again"
            ) from error
    if "error" in answer:
        raise SettingsError(
            f"the firmware refuses it: {answer['error']}", "change that setting, and run it again"
        )
    return str(answer["plan"])


def _shipped(firmware: Path, kind: str, name: str) -> bytes:
    folder = firmware / kind
    known = sorted(path.stem for path in folder.glob("*.json"))
    if name not in known:
        raise SettingsError(
            f"{name!r} is not in {kind}",
            f"take one of: {', '.join(known)}; firmware/{kind.upper()}.md says how to add one",
        )
    return (folder / f"{name}.json").read_bytes()


# Runs on CPython, apart, with the firmware's modules on its path: (firmware, folder, machine).
# What the ESP32's board checks at its start (esp32_board.serial_port) stands here once more.
_PROGRAM = """
import json, sys
firmware, folder, machine = sys.argv[1:]
sys.path[:0] = [firmware, firmware + "/../protocol"]
from wattle_meter import board_file, config
from wattle_meter.errors import MeterError
from wattle_meter.installation import Installation
try:
    settings = config.load(folder)
    plan = Installation(settings, folder)
    wifi = settings.board.child("wifi")
    wifi.text("ssid", 32)
    wifi.text("password", 63)
    wifi.done()
    name = settings.board.text("file", 64)
    settings.board.done()
    board = board_file.load("%s/boards/%s.json" % (folder, name), board_file.chip_of(machine))
    for row in settings.loads:
        if row.relay is not None and row.relay >= len(board.relays):
            raise row.fields.error("relay", "one of the %d of %s" % (len(board.relays), name))
    reads = sum(len(device.reads) for device in plan.devices)
    answer = {"plan": "%d device(s) at %s: %d reads take %d ms of each %d ms" % (
        len(plan.devices), plan.line.text(), reads, plan.round_ms, settings.interval_ms)}
except (MeterError, OSError, ValueError) as error:
    answer = {"error": str(error).replace(folder, "")}
print(json.dumps(answer))
"""
