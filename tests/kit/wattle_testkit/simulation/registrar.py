"""What members send to the ledger in a run: enrolments and their approvals."""

from collections.abc import Sequence
from random import Random

from wattle_gateway.contracts import alliance
from wattle_gateway.ledger import transaction

from wattle_testkit.simulation.gateway import SimGateway
from wattle_testkit.simulation.meter import SimMeter

RETRY_MS = 15_000


class Registrar:
    """Keeps asking until every meter is enrolled: any gateway may lose a transaction with its
    disk, and none of it matters to the ledger when it is asked twice."""

    def __init__(self, meters: Sequence[SimMeter], random: Random) -> None:
        self._meters = meters
        self._random = random
        self._asked_ms: dict[bytes, int] = {}

    def look(self, gateways: Sequence[SimGateway], now_ms: int) -> None:
        """Ask for what is missing; `gateways` those that are up and follow the rules."""
        if not gateways:
            return
        most = max(gateways, key=lambda gateway: gateway.driver.head.index)
        known = most.driver.meters()
        for meter in self._meters:
            if meter.kid not in known and self._due(meter.kid, now_ms):
                home = self._random.choice(gateways)
                body = transaction.enrol_body(meter.enrolment(home.kid, ()))
                home.submit(transaction.ENROL, body)
        for pending in alliance.pending_enrolments(most.driver.state):
            if pending.meter.kid in known:  # by another one; who is refused for it asks for ever
                continue
            for gateway in gateways:
                other = gateway.member.role != _role_of(gateways, pending.meter.home)
                if other and self._due(pending.digest, now_ms):
                    gateway.submit(transaction.APPROVE, [pending.digest])

    def _due(self, what: bytes, now_ms: int) -> bool:
        if now_ms < self._asked_ms.get(what, 0):
            return False
        self._asked_ms[what] = now_ms + RETRY_MS
        return True


def _role_of(gateways: Sequence[SimGateway], kid: bytes) -> int | None:
    return next((gateway.member.role for gateway in gateways if gateway.kid == kid), None)
