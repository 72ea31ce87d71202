"""Changing the alliance: proposals and approvals of this member, by names that operators use."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wattle_gateway.admin.member_names import member_named
from wattle_gateway.admin.signatory import NO_VOTE, Signatory
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts import waiting as waiting_rows
from wattle_gateway.contracts.alliance import PendingChange, PendingEnrolment
from wattle_gateway.contracts.waiting import Waiting
from wattle_gateway.errors import UsageError
from wattle_gateway.home import departure
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import ready as ready_format
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.genesis import MEMBERS_MAX, RULES_KNOWN, constants_under
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.ready import Ready
from wattle_gateway.ledger.transaction import Approve, Change
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.sync.parcels import JoinRequest

# What of a digest is enough to name what waits.
DIGEST_DIGITS_MIN = 8
# A candidate says every 15 s how far it follows; after a change of epoch it has to say so again.
READY_WITHIN_S = 25.0
READY_POLL_S = 0.5

Candidates = Callable[[], Mapping[bytes, JoinRequest]]


@dataclass(frozen=True)
class _Waiting:
    """What waits in the epoch in force; `is_voting` whether this gateway has a vote there."""

    epoch: Epoch
    changes: list[PendingChange]
    enrolments: list[PendingEnrolment]
    others: list[Waiting]
    is_voting: bool

    @classmethod
    def of(cls, driver: LedgerDriver) -> "_Waiting":
        """As the ledger is now; in the ledger's thread."""
        state, epoch = driver.state, driver.epoch
        return cls(
            epoch,
            alliance.pending_changes(state, epoch),
            alliance.pending_enrolments(state),
            waiting_rows.everything(state),
            driver.author is not None,
        )

    def change(self, digest: bytes) -> PendingChange | None:
        """The change that waits under a digest."""
        return next((found for found in self.changes if found.digest == digest), None)

    def enrolment(self, digest: bytes) -> PendingEnrolment | None:
        """The enrolment that waits under a digest."""
        return next((found for found in self.enrolments if found.digest == digest), None)

    def other(self, digest: bytes) -> Waiting | None:
        """What else waits under a digest."""
        return next((found for found in self.others if found.digest == digest), None)


class Membership:
    """`candidates()`: who asks here to become a member, by kid."""

    def __init__(
        self,
        home: GatewayHome,
        own_kid: bytes,
        signatory: Signatory,
        ledger: LedgerThread,
        candidates: Candidates,
    ) -> None:
        self._home = home
        self._own_kid = own_kid
        self._ledger_id = signatory.ledger_id
        self._signatory = signatory
        self._ledger = ledger
        self._candidates = candidates
        self._one_at_a_time = asyncio.Lock()

    async def approve(self, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Approve what waits under the digests among `wanted`, and propose one change that takes
        in the candidates named by the others (name or kid).

        Gives what became of each, as `_change_row` and `_enrolment_row` say. Raises UsageError for
        what does not wait here, otherwise as `Signatory.commit`.
        """
        async with self._one_at_a_time:
            waiting = await self._voting()
            found = [self._find(word, waiting) for word in dict.fromkeys(wanted)]
            done = []
            for digest in [digest for digest, _ in found if digest is not None]:
                done.append(await self._approve(digest, waiting))
            joiners = [kid for _, kid in found if kid is not None]
            if joiners:
                done.append(await self._take_in(joiners))
            return done

    async def leave(self, named: str | None) -> dict[str, Any]:
        """Propose an epoch without a member (name or kid), without us if `named` is None.

        Raises UsageError if there is no such member or nobody would be left, otherwise as
        `Signatory.commit`.
        """
        async with self._one_at_a_time:
            waiting = await self._voting()
            epoch = waiting.epoch
            kid = self._own_kid if named is None else member_named(named, epoch).kid
            members = tuple(member for member in epoch.everyone if member.kid != kid)
            if not any(member.votes for member in members):
                raise UsageError("the last voting member cannot leave: the ledger would end")
            if kid == self._own_kid:
                await asyncio.to_thread(departure.mark, self._home)
            change = EpochChange(members, epoch.rules, epoch.constants)
            return await self._propose(change, (), waiting)

    async def upgrade(self) -> dict[str, Any]:
        """Propose an epoch of the same members under the newest rules that this gateway knows.

        Raises UsageError if they are in force, otherwise as `Signatory.commit`.
        """
        async with self._one_at_a_time:
            waiting = await self._voting()
            epoch = waiting.epoch
            newest = RULES_KNOWN[-1]
            if epoch.rules >= newest:
                raise UsageError(f"rules {epoch.rules} are in force, this gateway knows no newer")
            constants = constants_under(epoch.constants, newest)
            return await self._propose(EpochChange(epoch.everyone, newest, constants), (), waiting)

    async def change_market(self, market: Market) -> dict[str, Any]:
        """Propose an epoch of the same members with other market parameters.

        Raises UsageError if rules know none or they are in force, otherwise as `Signatory.commit`.
        """
        async with self._one_at_a_time:
            waiting = await self._voting()
            epoch = waiting.epoch
            if epoch.constants.market is None:
                raise UsageError(f"rules {epoch.rules} are in force, which know no market")
            if epoch.constants.market == market:
                raise UsageError("these market parameters are in force")
            constants = replace(epoch.constants, market=market)
            return await self._propose(
                EpochChange(epoch.everyone, epoch.rules, constants), (), waiting
            )

    async def _voting(self) -> _Waiting:
        waiting = await self._ledger.read(_Waiting.of)
        if not waiting.is_voting:
            raise UsageError(NO_VOTE)
        return waiting

    def _find(self, word: str, waiting: _Waiting) -> tuple[bytes | None, bytes | None]:
        """(digest, None) of what waits or (None, kid) of a candidate."""
        candidates = [
            wish for wish in self._wishes().values() if word in (wish.member.name, wish.kid.hex())
        ]
        digests = [pending.digest for pending in waiting.changes]
        digests += [pending.digest for pending in waiting.enrolments]
        digests += [pending.digest for pending in waiting.others]
        if len(word) >= DIGEST_DIGITS_MIN:
            digests = [digest for digest in digests if digest.hex().startswith(word.lower())]
        else:
            digests = []
        names = [f"{wish.member.name!r} ({wish.kid.hex()})" for wish in candidates]
        names += [digest.hex() for digest in digests]
        if len(names) > 1:
            raise UsageError(f"{word!r} is more than one: {', '.join(names)}")
        if not names:
            raise UsageError(
                f"nothing waits here under {word!r}, expected a name, a kid or the first digits "
                "of a digest from `wattle-gateway alliance show`"
            )
        return (digests[0], None) if digests else (None, candidates[0].kid)

    def _wishes(self) -> dict[bytes, Ready]:
        return {
            kid: ready_format.parse(request.ready, self._ledger_id)
            for kid, request in self._candidates().items()
        }

    async def _take_in(self, kids: Sequence[bytes]) -> dict[str, Any]:
        wishes = await self._fresh(kids)
        waiting = await self._voting()
        epoch = waiting.epoch
        rows = {member.kid: member for member in epoch.everyone}
        rows |= {wish.kid: wish.member for wish in wishes}
        if len(rows) > MEMBERS_MAX:
            raise UsageError(f"{len(rows)} members, expected at most {MEMBERS_MAX}")
        members = tuple(rows[kid] for kid in sorted(rows))
        change = EpochChange(members, epoch.rules, epoch.constants)
        return await self._propose(change, [wish.raw for wish in wishes], waiting)

    async def _fresh(self, kids: Sequence[bytes]) -> list[Ready]:
        """What these candidates have said of the epoch in force; waits until they have."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + READY_WITHIN_S
        while True:
            number = await self._ledger.read(lambda driver: driver.epoch.number)
            wishes = self._wishes()
            stale = [kid for kid in kids if kid not in wishes or wishes[kid].epoch != number]
            if not stale:
                return [wishes[kid] for kid in kids]
            if loop.time() > deadline_s:
                raise UsageError(
                    f"{', '.join(kid.hex() for kid in stale)}: has not said that it follows epoch "
                    f"{number}; is it running, and connected to this gateway?"
                )
            await asyncio.sleep(READY_POLL_S)

    async def _propose(
        self, change: EpochChange, ready: Sequence[bytes], waiting: _Waiting
    ) -> dict[str, Any]:
        """Propose a change, or approve it if another member has proposed the very same."""
        for pending in waiting.changes:
            if pending.change == change:
                return await self._approve(pending.digest, waiting)
        replaced = [found for found in waiting.changes if found.proposer == self._own_kid]
        body = transaction.change_body(Change(waiting.epoch.number, change, tuple(ready)))
        digest = await self._signatory.commit(transaction.CHANGE, body)
        row = await self._change_row(digest, waiting.epoch)
        return {**row, "replaced": replaced[0].digest.hex() if replaced else None}

    async def _approve(self, digest: bytes, waiting: _Waiting) -> dict[str, Any]:
        pending = waiting.change(digest)
        if pending is None or self._own_kid not in pending.approvers:
            body = transaction.approve_body(Approve(digest))
            await self._signatory.commit(transaction.APPROVE, body)
        if pending is not None:
            return await self._change_row(digest, waiting.epoch)
        other = waiting.other(digest)
        if other is not None:
            return {
                "kind": transaction.KIND_NAMES[other.kind],
                "digest": digest.hex(),
                "decided": True,
            }
        enrolment = waiting.enrolment(digest)
        assert enrolment is not None
        return {
            "kind": "enrolment",
            "digest": digest.hex(),
            "decided": True,
            "meter": enrolment.meter.kid.hex(),
        }

    async def _change_row(self, digest: bytes, before: Epoch) -> dict[str, Any]:
        """Whether a change that was committed is decided, and if not, what it waits for."""
        now = await self._ledger.read(_Waiting.of)
        pending = now.change(digest)
        approved = set() if pending is None else set(pending.approvers)
        missing = sorted(member.name for member in before.members if member.kid not in approved)
        return {
            "kind": "change",
            "digest": digest.hex(),
            "decided": pending is None,
            "epoch": now.epoch.number,
            "members": sorted(member.name for member in now.epoch.everyone),
            "approvals": len(approved),
            "needed": before.quorum,
            "missing": [] if pending is None else missing,
            "replaced": None,
        }
