"""What a running gateway does for its operator: ping, live, enrol, revoke, and what
members decide."""

import asyncio
import binascii
from collections.abc import Callable
from dataclasses import asdict

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.admin.live_status import LiveStatus, consensus_status
from wattle_gateway.admin.membership import Membership
from wattle_gateway.admin.registrar import Enrolment, Registrar
from wattle_gateway.errors import UsageError
from wattle_gateway.home.identity import Identity
from wattle_gateway.ledger import market as market_format
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import MEMBERS_MAX
from wattle_gateway.runtime.ledger_thread import LedgerThread

# A step that executes a long history holds the ledger; the rest of the status need not wait.
CONSENSUS_WITHIN_S = 2.0


class AdminCommands:
    """Turns JSON into calls of the parts, and their results into JSON."""

    def __init__(
        self,
        registrar: Registrar,
        membership: Membership,
        ledger: LedgerThread,
        identity: Identity,
        site: str,
        live: Callable[[], LiveStatus],
    ) -> None:
        self._registrar = registrar
        self._membership = membership
        self._ledger = ledger
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
            "approve": self._approve,
            "leave": self._leave,
            "upgrade": self._upgrade,
            "market": self._market,
        }

    async def _ping(self, _request: Answer) -> Answer:
        return {"pid": self._live().pid}

    async def _live_status(self, _request: Answer) -> Answer:
        """`consensus` is null while the ledger is busy."""
        try:
            async with asyncio.timeout(CONSENSUS_WITHIN_S):
                consensus = asdict(await self._ledger.read(consensus_status))
        except TimeoutError:
            consensus = None
        return {"live": {**asdict(self._live()), "consensus": consensus}}

    async def _enrol(self, request: Answer) -> Answer:
        """`proof` hex; `site` text or null; `carry` uint; `points` rows without owner, whose kid in
        hex is `owner`, if it is not this gateway's member; `further`, if there are any, names or
        kids of members."""
        try:
            named = request.get("owner")
            owner = self._owner if named is None else binascii.unhexlify(named)
            rows = [[*row, owner] for row in request["points"]]
            enrolment = Enrolment(
                binascii.unhexlify(request["proof"]),
                topics.check_site(request["site"] or self._site),
                request["carry"],
                transaction.parse_points(rows),
                _further(request.get("further", [])),
            )
        except (KeyError, TypeError, ValueError, LedgerError) as error:
            raise UsageError(f"enrol: {error}") from error
        done = await self._registrar.enrol(enrolment)
        waits = done.waits
        return {
            "meter": topics.meter_id(done.meter.kid),
            "site": done.meter.site,
            "new": done.new,
            "certificate": done.certificate.decode(),
            "waits": None
            if waits is None
            else {"digest": waits.digest.hex(), "until_ms": waits.until_ms},
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

    async def _approve(self, request: Answer) -> Answer:
        """`wanted` texts: digests of what waits, names or kids of candidates."""
        wanted = request.get("wanted")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= MEMBERS_MAX:
            raise UsageError(f"approve: expected 1 to {MEMBERS_MAX} names or digests")
        if not all(isinstance(word, str) for word in wanted):
            raise UsageError("approve: a name or digest that is no text")
        return {"decisions": await self._membership.approve(wanted)}

    async def _upgrade(self, _request: Answer) -> Answer:
        return {"decision": await self._membership.upgrade()}

    async def _market(self, request: Answer) -> Answer:
        """`market` hex: the encoded market map."""
        try:
            wanted = market_format.decode(binascii.unhexlify(request["market"]))
        except (KeyError, TypeError, ValueError, LedgerError) as error:
            raise UsageError(f"market: {error}") from error
        return {"decision": await self._membership.change_market(wanted)}

    async def _leave(self, request: Answer) -> Answer:
        """`member` name or kid, null: this gateway itself."""
        member = request.get("member")
        if not (member is None or isinstance(member, str)):
            raise UsageError("leave: expected a member's name or kid")
        return {"decision": await self._membership.leave(member)}


def _further(words: object) -> tuple[str, ...]:
    if not isinstance(words, list) or len(words) > transaction.FURTHER_MAX:
        raise UsageError(f"a meter has at most {transaction.FURTHER_MAX} further gateways")
    if not all(isinstance(word, str) for word in words):
        raise UsageError("enrol: further gateways, expected names or kids of members")
    return tuple(words)
