"""Meters with real keys, whose samples are signed before the clock starts."""

import ssl
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.pki import keys
from wattle_wire import cose, topics
from wattle_wire import sample as wire_sample
from wattle_wire.sample import Reading, Sample

from wattle_testkit.alliance import Board, private_key
from wattle_testkit.gateway_process import GatewayProcess

PERIOD_MS = 10_000
_FIRST_WH = 1_000_000
# What an SDM120 gives with the firmware's profile; the register moves on by 2,304 W.
_VALUES = {"ee": 113_791, "f": 4_999, "i": 10_043, "p": 23_040, "q": 120, "u": 2_303}
_STEP_WH = 2_304 * PERIOD_MS // 3_600_000
# Fewer samples than this are signed before another process has started.
_FEW = 2_000
_SIGNERS = 2


@dataclass(frozen=True)
class EdgeMeter:
    """A meter at one gateway; `samples[n]` is seq n + 1, taken at `times_ms[n]`."""

    board: Board
    gateway: int
    times_ms: range
    samples: tuple[bytes, ...]

    @property
    def meter(self) -> str:
        """Its id."""
        return topics.meter_id(self.board.kid)


def signed_ahead(
    epoch: Epoch,
    count: int,
    gateways: int,
    first_ms: int,
    samples: int,
    period_ms: int = PERIOD_MS,
    name: str = "edge meter",
) -> list[EdgeMeter]:
    """`count` meters in turn at `gateways`, each with so many samples from `first_ms` (virtual
    Unix ms) on; all phases of the period are taken in equal parts, as by meters in the field."""
    jobs = []
    for number in range(count):
        begin_ms = first_ms + number * period_ms // count
        times_ms = range(begin_ms, begin_ms + samples * period_ms, period_ms)
        jobs.append((epoch, f"{name} {number}", number % gateways, times_ms))
    if count * samples < _FEW:
        return [_signed(*job) for job in jobs]
    with ProcessPoolExecutor(_SIGNERS) as pool:
        return list(pool.map(_signed, *zip(*jobs, strict=True)))


def _signed(epoch: Epoch, name: str, gateway: int, times_ms: range) -> EdgeMeter:
    board = Board(name, epoch)
    prev = None
    found = []
    for number, time_ms in enumerate(times_ms):
        values: dict[str, int | str] = {**_VALUES, "ei": _FIRST_WH + number * _STEP_WH}
        reading = Reading(1, time_ms, "G", values)
        payload = wire_sample.encode(Sample(board.eui64, number + 1, 1, prev, "S", [reading]))
        found.append(board.signed("sample", payload))
        prev = cose.digest("sample", epoch.ledger_id, board.kid, payload)
    return EdgeMeter(Board(name, epoch), gateway, times_ms, tuple(found))


def tls_context(meter: EdgeMeter, gateway: GatewayProcess) -> ssl.SSLContext:
    """What the meter shows to its gateway's broker, and whom it believes."""
    home = gateway.home
    context = ssl.create_default_context(cafile=str(home.certificate("authority")))
    key = home.folder.with_name(f"{meter.meter}.key")
    tls = private_key(f"{meter.board.name} tls")
    key.write_bytes(tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context.load_cert_chain(home.meter_certificates / f"{meter.meter}.pem", key)
    return context


def mac_key(meter: EdgeMeter, gateway: GatewayProcess) -> bytes:
    """The key of the MACs between the meter and its gateway."""
    member = gateway.member
    secret = keys.shared_x(private_key(f"{meter.board.name} link"), member.link_key)
    epoch = meter.board.epoch
    return bytes(cose.link_key(secret, epoch.ledger_id, meter.board.kid, member.link_kid))


def enrol_all(meters: list[EdgeMeter], gateway: GatewayProcess, number: int) -> None:
    """Enrol those that are at gateway `number`, which this is."""
    for meter in meters:
        if meter.gateway == number:
            gateway.enrol(meter.board, site="home")
