"""How long a transaction takes to be final in an alliance of four real gateways.

Measured from asking a gateway at its socket to enrol or revoke a meter until it answers: that is
what an operator waits, and it holds more than the time from durable to final: the proof is
verified before, certificate and broker are brought up to date after.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from wattle_hil.bench.alliance import BenchAlliance, bench_alliance
from wattle_hil.bench.paper_meter import PaperMeter
from wattle_hil.errors import BenchError
from wattle_hil.runs.gateway_control import GatewayControl

P50_LIMIT_S, P99_LIMIT_S = 1.0, 2.5
IDLE_P50_LIMIT_S = 1.5
# Beyond the idle pace of one round a minute: at least one round was made because nothing was to do.
IDLE_S = 65
POINTS = [[1, 1, 5_750, 0, [1, 1], [1, 1], 1]]


@dataclass(frozen=True)
class Finality:
    """Seconds from question to answer, rising. busy: all gateways asked at once, again and again;
    idle: a single transaction after so many seconds (`rest_s`) without any."""

    busy_s: Sequence[float]
    idle_s: Sequence[float]
    rest_s: int


def measure_finality(
    command: Sequence[str], each: int, idle_tries: int, rest_s: int = IDLE_S
) -> Finality:
    """each: transactions at each gateway, one after the other; rest_s: idle time before a try.

    Raises the bench's errors.
    """
    with bench_alliance(command) as alliance, alliance.running():
        busy = _busy(alliance, each)
        return Finality(sorted(busy), sorted(_idle(alliance, idle_tries, rest_s)), rest_s)


def rank(values: Sequence[float], share: float) -> float:
    """The value that `share` of rising values do not exceed (nearest rank)."""
    return values[max(0, -int(-share * len(values) // 1) - 1)]


def _busy(alliance: BenchAlliance, each: int) -> list[float]:
    controls = [gateway.control for gateway in alliance.gateways.each]
    with ThreadPoolExecutor(len(controls)) as pool:
        took = pool.map(lambda control: _transactions(control, each), controls)
        return [seconds for part in took for seconds in part]


def _transactions(control: GatewayControl, count: int) -> list[float]:
    """Meters come and go: enrolments and revocations in turn."""
    ledger_id = bytes.fromhex(str(control.status()["ledger_id"]))
    took: list[float] = []
    while len(took) < count:
        meter = PaperMeter(ledger_id)
        took.append(enrol(control, meter))
        if len(took) < count:
            took.append(_timed(control, "revoke", meter=meter.meter_id, last_seq=None))
    return took


def _idle(alliance: BenchAlliance, tries: int, rest_s: int) -> list[float]:
    """At another gateway each time."""
    controls = [gateway.control for gateway in alliance.gateways.each]
    ledger_id = bytes.fromhex(str(controls[0].status()["ledger_id"]))
    took = []
    for number in range(tries):
        time.sleep(rest_s)
        took.append(enrol(controls[number % len(controls)], PaperMeter(ledger_id)))
    return took


def enrol(control: GatewayControl, meter: PaperMeter) -> float:
    """Puts a meter on the ledger; seconds until the gateway said so. Raises BenchError."""
    proof = meter.enrolment_proof().hex()
    return _timed(control, "enrol", proof=proof, site=None, carry=0, points=POINTS)


def _timed(control: GatewayControl, command: str, **fields: object) -> float:
    began = time.monotonic()
    answer = control.ask(command, **fields)
    took_s = time.monotonic() - began
    if not answer.get("ok"):
        raise BenchError(f"{command}: {answer.get('message', 'no answer')}")
    return took_s
