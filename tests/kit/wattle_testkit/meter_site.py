"""A site for one or more meter processes: authority, broker, serial line, board folders.

Everything is real: nats-server with the gateway's own configuration, certificates of a site
authority, emulated metering devices on a pty, MicroPython.
"""

import base64
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from wattle_gateway.broker import mosquitto, nats_config
from wattle_gateway.broker.permissions import MeterAccess
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import authority, keys
from wattle_hil import parts
from wattle_hil.children.free_port import free_ports
from wattle_hil.children.processes import Process, ProcessGroup
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.sdm import SDM120
from wattle_tools import board_folder, certificate, proof, site_file
from wattle_tools.board_folder import BoardChoice, DeviceChoice, Firmware, Line, LoadChoice
from wattle_tools.site_file import SiteFile

from wattle_testkit import rom_image, waiting
from wattle_testkit.script_gateway import EnrolledMeter, ScriptGateway

ROOT = Path(__file__).resolve().parents[3]
FIRMWARE = ROOT / "firmware"
SITE = "substation-7"
GATEWAY_NAME = "gateway"
LEDGER_ID = bytes(range(16))
_START_S = 15.0


def constant_curve(start_ms: int, power_w: int) -> Curve:
    """A year of one power."""
    end_ms = start_ms + 365 * 86_400_000
    return Curve("constant", 1_000, StepSeries((start_ms,), (power_w * UW_PER_W,), end_ms))


def emulated_sdm120(start_ms: int, power_w: int = 2_300) -> EmulatedDevice:
    """Unit 1 under a constant load."""
    return EmulatedDevice(1, SDM120, constant_curve(start_ms, power_w), initial_import_wh=1_000)


@dataclass
class Board:
    """A provisioned board: its folder, its process (not started), what its gateway knows of it."""

    folder: Path
    process: Process
    meter: EnrolledMeter
    status_path: Path

    def status(self) -> dict[str, object]:
        """The newest counters it has shown, none before the first."""
        try:
            content: dict[str, object] = json.loads(self.status_path.read_bytes())
        except OSError:
            return {}
        return content


class MeterSite:
    """A folder with authority and broker; `gateway` is its scripted gateway."""

    def __init__(self, folder: Path, group: ProcessGroup) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.group = group
        self.authority = authority.SiteAuthority.create(keys.new_p256(), SITE)
        self.members = [keys.new_p256() for _ in range(2)]  # who sign what updates its meters
        self._meters: set[MeterAccess] = set()
        link = ec.generate_private_key(ec.SECP256R1())
        self.gateway = ScriptGateway(LEDGER_ID, link)
        self._issue("broker", server=True)
        self._issue(GATEWAY_NAME, server=False)
        (folder / "authority.pem").write_bytes(authority.pem(self.authority.certificate))
        self.technicians = False  # whether any has an authority: brokers have no list then
        self.broker: Process | None = None

    def site_file(self) -> SiteFile:
        """What a technician is given, read back from its file."""
        der = base64.b64encode(authority.der(self.authority.certificate)).decode()
        content = {
            "format": 1,
            "ledger_name": "test",
            "ledger_id": LEDGER_ID.hex(),
            "site": SITE,
            "gateways": [
                {
                    "name": "grid",
                    "host": "localhost",
                    "port": self.port,
                    "link_key": self.gateway.link_public.hex(),
                    "authority_der_base64": der,
                }
            ],
            "members": [
                {"name": f"member {at}", "role": 1, "block_key": crypto.public_of(key).hex()}
                for at, key in enumerate(self.members)
            ],
        }
        path = self.folder / "site.json"
        path.write_text(json.dumps(content))
        return site_file.load(path)

    def board(
        self,
        name: str,
        kind: str,
        port: Path,
        *options: str,
        interval_ms: int = 1_000,
        devices: Sequence[DeviceChoice] = (DeviceChoice(1, "sdm120", 1),),
        baud: int | None = None,
        loads: Sequence[LoadChoice] = (),
        relays: Sequence[str] = (),
        hold_s: int | None = None,
    ) -> Board:
        """Provisions a board (with one SDM120) and enrols it with the gateway.

        `kind`: "64" and "32" are interpreters that compile the firmware from its sources, "rom"
        is a 32-bit one with the heap of a board and the firmware in read-only memory. `options`:
        of the Linux board's program.
        """
        folder = self.folder / name
        interpreter = parts.micropython(64 if kind == "64" else 32)
        firmware = Firmware(interpreter, FIRMWARE)
        choice = BoardChoice(
            devices,
            Line(str(port), baud),
            interval_ms,
            loads=loads,
            relays=relays,
            hold_s=hold_s,
        )
        board_folder.provision(folder, [self.site_file()], choice, firmware)
        meter = self.gateway.enrol((folder / proof.PROOF_FILE).read_bytes(), SITE)
        self.admit(meter.meter, folder)
        status_path = self.folder / f"{name}.status"
        program: tuple[str, ...] = (str(interpreter), str(firmware.main))
        if kind == "rom":
            target = self.folder / "firmware.romfs"
            program = rom_image.command(interpreter, target, rom_image.linux_board())
        arguments = (str(folder), "--status", str(status_path), "--log", "3", *options)
        process = Process(name, (*program, *arguments), self.folder / f"{name}.log")
        return Board(folder, process, meter, status_path)

    def start_broker(self, kind: str = "nats") -> None:
        """Starts nats-server or mosquitto for the meters admitted so far, and the gateway."""
        command = self._mosquitto() if kind == "mosquitto" else self._nats()
        self.broker = self.group.start(Process("broker", command, self.folder / "broker.log"))
        if not self.gateway.connected:
            self.gateway.connect(
                "localhost",
                self.port,
                self.folder / "authority.pem",
                self.folder / f"{GATEWAY_NAME}.pem",
                self.folder / f"{GATEWAY_NAME}.key",
            )
        self.wait_for_gateway()

    def wait_for_gateway(self) -> None:
        """Returns when the gateway is connected."""
        waiting.until(lambda: self.gateway.connected, _START_S, "gateway at the broker")

    def _nats(self) -> tuple[str, ...]:
        config = self.folder / "nats.conf"
        files = nats_config.NatsFiles(
            self.folder / "broker.pem",
            self.folder / "broker.key",
            self.folder / "authority.pem",
            self.folder / "nats",
        )
        config.write_text(
            nats_config.render("127.0.0.1", self.port, files, GATEWAY_NAME, self._meters)
        )
        return (str(Path(sys.executable).parent / "nats-server"), "-c", str(config))

    def _mosquitto(self) -> tuple[str, ...]:
        revoked = self.authority.revocation_list([], datetime.now(UTC))
        files = {
            name: (self.folder / name).read_bytes()
            for name in ("authority.pem", "broker.pem", "broker.key")
        }
        if not self.technicians:
            files["revoked.pem"] = authority.pem(revoked)
        config = mosquitto.write_files(
            self.folder / "mosquitto",
            "127.0.0.1",
            self.port,
            mosquitto.MosquittoAccess(GATEWAY_NAME),
            files,
        )
        with config.open("a") as file:
            file.write("user root\n" if os.getuid() == 0 else "")
        return (str(parts.mosquitto()), "-c", str(config))

    def _issue(self, name: str, *, server: bool) -> None:
        key = keys.new_p256()
        public = key.public_key()
        if server:
            issued = self.authority.issue_server(public, ["localhost", "127.0.0.1"])
        else:
            issued = self.authority.issue_client(public, name)
        keys.save_private(self.folder / f"{name}.key", key)
        (self.folder / f"{name}.pem").write_bytes(authority.pem(issued))

    def admit(self, meter: str, folder: Path) -> None:
        """Issues the certificate of the board in `folder`; the broker will let `meter` in."""
        found = proof.verified(folder, LEDGER_ID)
        issued = self.authority.issue_client(crypto.load_public(found.tls_public), meter)
        source = self.folder / f"{meter}.pem"
        source.write_bytes(authority.pem(issued))
        certificate.install(folder, source)
        self.admit_guest(meter)

    def admit_guest(self, meter: str) -> None:
        """The broker will let `meter` in, whose certificate is of an authority that it trusts."""
        self._meters.add(MeterAccess(meter, SITE))
