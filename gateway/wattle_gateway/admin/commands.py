"""What a running gateway does for its operator: ping, live, enrol, revoke."""

import binascii
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.admin.registrar import Enrolment, Registrar
from wattle_gateway.errors import UsageError
from wattle_gateway.home.identity import Identity
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.errors import LedgerError


@dataclass(frozen=True)
class LiveStatus:
    """What only the running process knows. The `broker_*` are None for an outside broker; `peers`
    are rows of `peers.status.PeerStatus`, `candidates` kids of those who ask to become members."""

    pid: int
    clock_ms: int
    clock_alarm: bool
    clock_jumps: int
    broker_kind: str
    broker_running: bool | None
    broker_restarts: int | None
    broker_refused_connections: int | None
    link_up: bool
    link_connects: int
    acks_sent: int
    worker_crashes: int
    write_failures: int
    online: list[str]
    counters: dict[str, int]
    peers: list[dict[str, Any]]
    peer_strangers: int
    candidates: list[str]


class AdminCommands:
    """Turns JSON into calls of the parts, and their results into JSON."""

    def __init__(
        self,
        registrar: Registrar,
        identity: Identity,
        site: str,
        live: Callable[[], LiveStatus],
    ) -> None:
        self._registrar = registrar
        self._owner = identity.member.kid
        self._site = site
        self._live = live

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {
            "ping": self._ping,
            "live": self._live_status,
            "enrol": self._enrol,
            "revoke": self._revoke,
        }

    async def _ping(self, _request: Answer) -> Answer:
        return {"pid": self._live().pid}

    async def _live_status(self, _request: Answer) -> Answer:
        return {"live": asdict(self._live())}

    async def _enrol(self, request: Answer) -> Answer:
        """`proof` hex; `site` text or null; `carry` uint; `points` rows without owner."""
        try:
            rows = [[*row, self._owner] for row in request["points"]]
            enrolment = Enrolment(
                binascii.unhexlify(request["proof"]),
                topics.check_site(request["site"] or self._site),
                request["carry"],
                transaction.parse_points(rows),
            )
        except (KeyError, TypeError, ValueError, LedgerError) as error:
            raise UsageError(f"enrol: {error}") from error
        meter, certificate, new = await self._registrar.enrol(enrolment)
        return {
            "meter": topics.meter_id(meter.kid),
            "site": meter.site,
            "new": new,
            "certificate": certificate.decode(),
        }

    async def _revoke(self, request: Answer) -> Answer:
        """`meter` id; `last_seq` uint or null."""
        try:
            kid = topics.kid_of_meter(request["meter"])
            last_seq = request["last_seq"]
        except (KeyError, TypeError, WireError) as error:
            raise UsageError(f"revoke: {error}") from error
        meter, last = await self._registrar.revoke(kid, last_seq)
        return {"meter": topics.meter_id(meter.kid), "last_seq": last}
