"""Setting up the folder of a Linux board: configuration, profiles, authority, then its identity."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from wattle_wire import quantity

from wattle_tools import proof
from wattle_tools.errors import BoardError
from wattle_tools.proof import Proof
from wattle_tools.site_file import SiteFile, SiteGateway

CONFIG_FILE = "config.json"
_CONFIG_FORMAT = 1
LOAD_KEYS = ("unit", "relay", "rest_w", "min_w", "max_w")
# What the firmware takes; a meter that has tried eight in vain has no network.
GATEWAYS_MAX = 8
# Keys on the slowest host with an emulated processor took 2 s.
_IDENTITY_DEADLINE_S = 60.0


@dataclass(frozen=True)
class DeviceChoice:
    """A metering device: number 1..32, profile name, unit on the line, quantities (all if none),
    transformer ratios (primary, secondary), orientation (-1: wired the other way round), and the
    rating of the point in W (None: as the gateway's operator says).
    """

    number: int
    profile: str
    unit: int
    quantities: tuple[str, ...] = ()
    ct: tuple[int, int] = (1, 1)
    vt: tuple[int, int] = (1, 1)
    orient: int = 1
    rating_w: int | None = None

    @classmethod
    def parse(cls, text: str) -> "DeviceChoice":
        """D:PROFILE:UNIT or D:PROFILE:UNIT:q,q,..; ValueError with what was expected."""
        parts = text.split(":")
        if len(parts) not in (3, 4) or not parts[0].isdecimal() or not parts[2].isdecimal():
            raise ValueError(f"{text!r}, expected D:PROFILE:UNIT or D:PROFILE:UNIT:q,q,..")
        names = tuple(parts[3].split(",")) if len(parts) == 4 else ()
        for name in names:
            if name not in quantity.names():
                raise ValueError(f"{name!r} is no quantity; they are {', '.join(quantity.names())}")
        return cls(int(parts[0]), parts[1], int(parts[2]), names)


@dataclass(frozen=True)
class LoadChoice:
    """An adjustable load: number of its metering device, name of its type, and its settings in
    the board's configuration (LOAD_KEYS).
    """

    number: int
    kind: str
    settings: dict[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "LoadChoice":
        """D:TYPE:key=number,..; ValueError with what was expected."""
        parts = text.split(":")
        expected = f"{text!r}, expected D:TYPE:key=number,.. with the keys {', '.join(LOAD_KEYS)}"
        if len(parts) != 3 or not parts[0].isdecimal():
            raise ValueError(expected)
        settings: dict[str, int] = {}
        for setting in parts[2].split(","):
            key, _, number = setting.partition("=")
            if key not in LOAD_KEYS or key in settings or not number.removeprefix("-").isdecimal():
                raise ValueError(expected)
            settings[key] = int(number)
        return cls(int(parts[0]), parts[1], settings)


@dataclass(frozen=True)
class Line:
    """The serial line. `port` a path; speed and character None: as the profile has them."""

    port: str
    baud: int | None = None
    parity: str = "N"
    stop_bits: int = 1


@dataclass(frozen=True)
class BoardChoice:
    """What a technician decides for one board; `site` None: that of the first gateway. `relays`:
    files behind which the host's relays are; `hold_s`: how long loads wait for a silent gateway.
    """

    devices: Sequence[DeviceChoice]
    line: Line
    interval_ms: int
    site: str | None = None
    outbox_bytes: int | None = None
    eui64: bytes | None = None
    loads: Sequence[LoadChoice] = ()
    relays: Sequence[str] = ()
    hold_s: int | None = None


@dataclass(frozen=True)
class Firmware:
    """Where the interpreter and the firmware's sources are."""

    micropython: Path
    folder: Path

    @property
    def main(self) -> Path:
        """The program of the Linux board."""
        return self.folder / "boards" / "linux" / "main.py"

    def check(self) -> None:
        """Raise BoardError unless both are there."""
        if not os.access(self.micropython, os.X_OK):
            raise BoardError(
                f"{self.micropython} is no program",
                "name MicroPython with --micropython; in a checkout `make micropython` fetches it",
            )
        if not self.main.is_file():
            raise BoardError(
                f"{self.main} is missing", "--firmware names the folder of the firmware"
            )


def provision(
    folder: Path, sites: Sequence[SiteFile], choice: BoardChoice, firmware: Firmware
) -> Proof:
    """Make (or renew) a board's folder and give its verified proof of identity.

    `sites` in order of preference, all of one ledger; the board is given their own gateways and
    then all others that they know, at most GATEWAYS_MAX. A board that has keys keeps them.
    Raises BoardError if the firmware refuses the configuration, the folder belongs to another
    ledger, or the board's proof does not verify.
    """
    firmware.check()
    ledger_ids = {site.ledger_id for site in sites}
    if len(ledger_ids) != 1:
        raise BoardError(
            "the site files are of different ledgers", "name those of the gateways of one"
        )
    ledger_id = sites[0].ledger_id
    _check_same_ledger(folder, ledger_id)
    gateways = preferred(sites)
    try:
        (folder / "profiles").mkdir(parents=True, exist_ok=True)
        _copy_files(folder, "profiles", {row.profile for row in choice.devices}, firmware)
        if choice.loads:
            (folder / "loads").mkdir(exist_ok=True)
            _copy_files(folder, "loads", {row.kind for row in choice.loads}, firmware)
        board: dict[str, object] = {"port": choice.line.port}
        if choice.relays:
            board["relays"] = list(choice.relays)
        config = configuration(sites[0], gateways, choice, board)
        for at, gateway in enumerate(gateways):
            _write(folder / authority_name(at), gateway.authority)
        _write(folder / CONFIG_FILE, (json.dumps(config, indent=1) + "\n").encode())
    except OSError as error:
        raise BoardError(
            f"{folder}: cannot be set up: {error.strerror}", "name a folder that you may write to"
        ) from error
    said = _identify(folder, firmware)
    found = proof.verified(folder, ledger_id)
    if said != found.meter:
        raise BoardError(
            f"{folder}: the board says it is {said!r}, its proof says {found.meter}",
            "its files are of two meters: provision a new folder",
        )
    return found


def rehearse(
    folder: Path, sites: Sequence[SiteFile], choice: BoardChoice, firmware: Firmware
) -> None:
    """Raises what `provision` would; `folder` stays as it is.

    The board is set up in a folder of its own that is removed again, with keys that nobody uses.
    """
    if sites:
        _check_same_ledger(folder, sites[0].ledger_id)
    with tempfile.TemporaryDirectory(prefix="wattle-rehearsal-") as draft:
        provision(Path(draft) / "board", sites, choice, firmware)


def ledger_of(folder: Path) -> bytes:
    """The ledger id a board was provisioned for; BoardError if its configuration is unreadable."""
    path = folder / CONFIG_FILE
    try:
        return bytes.fromhex(json.loads(path.read_bytes())["ledger_id"])
    except OSError as error:
        raise BoardError(
            f"{path}: cannot be read: {error.strerror}", "provision that folder first"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BoardError(
            f"{path}: not the configuration of a board", "provision that folder again"
        ) from error


def authorities(folder: Path) -> list[Path]:
    """The files of the site authorities that the board trusts."""
    return sorted(folder.glob(authority_name("*")))


def gateway_rows(gateways: Sequence[SiteGateway]) -> list[dict[str, object]]:
    """`gateways` of a board's configuration; their authorities are files of `authority_name`."""
    return [
        {
            "host": gateway.host,
            "port": gateway.port,
            "server_name": gateway.host,
            "ca": authority_name(at),
            "link_public": gateway.link_public.hex(),
        }
        for at, gateway in enumerate(gateways)
    ]


def authority_name(which: int | str) -> str:
    """The file of the authority of a gateway by its place in the list."""
    return f"authority{which}.der"


def _check_same_ledger(folder: Path, ledger_id: bytes) -> None:
    """Sequence numbers count once for a key: on two ledgers each would find the other's missing."""
    if not (folder / CONFIG_FILE).exists():
        return
    known = ledger_of(folder)
    if known != ledger_id:
        raise BoardError(
            f"{folder} is set up for ledger {known.hex()}, not {ledger_id.hex()}",
            "name a new folder: a key belongs to one ledger",
        )


def _copy_files(folder: Path, kind: str, names: Set[str], firmware: Firmware) -> None:
    """Copies the firmware's files of a kind (profiles or loads) to the board's folder."""
    for name in sorted(names):
        source = firmware.folder / kind / f"{name}.json"
        if not source.is_file():
            known = sorted(path.stem for path in source.parent.glob("*.json"))
            raise BoardError(f"{name!r} is not in {kind}", f"there are {', '.join(known)}")
        shutil.copyfile(source, folder / kind / source.name)


def preferred(sites: Sequence[SiteFile]) -> list[SiteGateway]:
    """At most GATEWAYS_MAX gateways, each once (a link key is one gateway's): those named first,
    then the others.
    """
    first = [site.gateways[0] for site in sites]
    others = [gateway for site in sites for gateway in site.gateways[1:]]
    found: dict[bytes, SiteGateway] = {}
    for gateway in [*first, *others]:
        found.setdefault(gateway.link_public, gateway)
    return list(found.values())[:GATEWAYS_MAX]


def configuration(
    site: SiteFile,
    gateways: Sequence[SiteGateway],
    choice: BoardChoice,
    board: dict[str, object],
) -> dict[str, object]:
    """config.json of a meter; `board`: what only its kind of board knows."""
    config: dict[str, object] = {
        "format": _CONFIG_FORMAT,
        "site": choice.site or site.site,
        "ledger_id": site.ledger_id.hex(),
        "interval_ms": choice.interval_ms,
        "gateways": gateway_rows(gateways),
        "members": [public.hex() for public in site.members],
        "devices": [_device(device) for device in choice.devices],
        "board": board,
    }
    if choice.loads:
        config["loads"] = [
            {"d": load.number, "load": load.kind, **load.settings} for load in choice.loads
        ]
    if choice.hold_s is not None:
        config["hold_s"] = choice.hold_s
    if choice.line.baud is not None:
        line = choice.line
        config["line"] = {"baud": line.baud, "parity": line.parity, "stop_bits": line.stop_bits}
    if choice.outbox_bytes is not None:
        config["outbox_bytes"] = choice.outbox_bytes
    if choice.eui64 is not None:
        config["eui64"] = choice.eui64.hex()
    return config


def _device(device: DeviceChoice) -> dict[str, object]:
    row: dict[str, object] = {"d": device.number, "profile": device.profile, "unit": device.unit}
    if device.quantities:
        row["quantities"] = list(device.quantities)
    for key, ratio in (("ct", device.ct), ("vt", device.vt)):
        if ratio != (1, 1):
            row[key] = list(ratio)
    if device.orient != 1:
        row["orient"] = device.orient
    return row


def _identify(folder: Path, firmware: Firmware) -> str:
    """Let the board make its keys if it has none; the meter id it says it has."""
    try:
        done = subprocess.run(
            [firmware.micropython, firmware.main, folder.absolute(), "--installed", "--identity"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_IDENTITY_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BoardError(
            f"{folder}: the board cannot be asked who it is: {error}",
            "run its main.py with --identity by hand, and see what it says",
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise BoardError(
            f"{folder}: the firmware says: {said}", "change that setting, and provision it again"
        )
    try:
        return str(json.loads(done.stdout)["meter"])
    except (ValueError, KeyError, TypeError) as error:
        raise BoardError(
            f"{folder}: the firmware said {done.stdout[:80]!r}, expected a meter's id",
            "take the firmware that came with this tool (leave out --firmware)",
        ) from error


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(data)
    draft.replace(path)
