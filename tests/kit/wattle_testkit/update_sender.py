"""Playing the gateway that brings a meter an update: the message, then each chunk asked for."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from wattle_gateway.admin.meter_updates import sign_bundle
from wattle_gateway.ledger import crypto
from wattle_tools.image import compiler, romfs
from wattle_wire import bundle, cose, topics, update
from wattle_wire.bundle import Bundle

from wattle_testkit import waiting
from wattle_testkit.script_gateway import EnrolledMeter, ScriptGateway

News = tuple[int, int, int]


def signed(
    ledger_id: bytes,
    version: int,
    board: str,
    files: Sequence[tuple[str, bytes]],
    members: Sequence[ec.EllipticCurvePrivateKey],
) -> Bundle:
    """A bundle with the signatures of `members`."""
    made = bundle.make(ledger_id, version, f"version {version}", board, list(files))
    for key in members:
        made = sign_bundle(made, cose.kid_of(crypto.public_of(key)), crypto.signer(key))
    return made


def program_image(folder: Path, source: str) -> bytes:
    """`firmware.rom` of a program of one module; `source` has a function main(arguments)."""
    path = folder / "other_program.py"
    path.write_text(source)
    files = {"entry": path.stem.encode(), f"{path.stem}.mpy": compiler.compiled(path)}
    return romfs.rom_image(files)


class UpdateSender:
    """Sends one bundle to one meter."""

    def __init__(self, gateway: ScriptGateway, meter: EnrolledMeter, made: Bundle) -> None:
        self._gateway = gateway
        self._meter = meter
        self._message = made.message()
        self._chunks = made.chunks()
        self._seen = len(meter.news)

    def offer(self) -> None:
        """Sends the update message."""
        self._gateway.send_raw(self._meter, topics.CMD, self._message)

    def serve(self) -> None:
        """Sends the chunk that the meter asked for last, if it asked since the last call."""
        heard = len(self._meter.news)
        if heard == self._seen:
            return
        self._seen = heard
        _, code, offset = self._meter.news[heard - 1]
        if code == update.RECEIVING:
            chunk = self._chunks[offset // update.CHUNK_BYTES_MAX]
            self._gateway.send_raw(self._meter, topics.CMD, chunk)

    def until(self, version: int, code: int, deadline_s: float) -> None:
        """Serves until the meter says this of this version."""

        def said() -> bool:
            self.serve()
            return (version, code, 0) in self._meter.news

        waiting.until(said, deadline_s, f"version {version} says {code}")
