"""Members that come, go, are suspended and return while the ledger runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from wattle_gateway.contracts import alliance
from wattle_gateway.ledger import genesis, ready, transaction
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.genesis import Member
from wattle_gateway.ledger.transaction import Approve, Change

from wattle_testkit.simulation import cheap_keys

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway
    from wattle_testkit.simulation.world import World

RETRY_MS = 8_000
# A quarter of the run to get going and the rest for the changes: each has to be seen through
# before the next one begins.
_FIRST_SHARE = 4


@dataclass
class _Wish:
    """A change that somebody wants: the kids that shall vote in the next epoch, and those that
    shall be no members any more. Whoever else is a member follows without a vote."""

    votes: frozenset[bytes]
    gone: frozenset[bytes]
    asked_ms: int = -RETRY_MS


class AllianceChanges:
    """Carries out the wanted changes one by one; each is proposed again until it is in force."""

    def __init__(self, world: "World", random: Random) -> None:
        self._world = world
        self._random = random
        self._wanted: list[str] = []
        self._wish: _Wish | None = None

    def plan(self, changes: Sequence[str], faults_ms: int) -> None:
        """Begin with them after a while."""
        begin = faults_ms // _FIRST_SHARE

        def want() -> None:
            self._wanted = list(changes)

        self._world.timeline.at(begin, want)

    def unsettled(self) -> str:
        """What is not in force yet, "" for nothing."""
        return f"changes wait: {self._wanted}" if self._wanted or self._wish else ""

    def look(self) -> None:
        """Do what is next."""
        voters = self._world.carriers
        if not voters:
            return
        most = max(voters, key=lambda gateway: gateway.driver.head.index)
        epoch = most.driver.epoch
        if self._wish is None and self._wanted:
            self._wish = self._next_wish(self._wanted[0], epoch)
        if self._wish is None:
            return
        if {member.kid for member in epoch.members} == self._wish.votes:
            self._wish = None
            self._wanted.pop(0)
            return
        now_ms = self._world.timeline.now_ms
        if now_ms >= self._wish.asked_ms + RETRY_MS and not self._waits(most, self._wish):
            self._wish.asked_ms = now_ms
            self._propose(most, epoch)
        self._approve(most, voters)

    def _waits(self, most: "SimGateway", wish: _Wish) -> bool:
        """Whether the change is proposed already: one that takes its place is approved anew, and
        over slow links there would always be another before the last approval."""
        return any(
            {member.kid for member in pending.change.members if member.votes} == wish.votes
            for pending in alliance.pending_changes(most.driver.state, most.driver.epoch)
        )

    def _next_wish(self, change: str, epoch: Epoch) -> _Wish:
        votes = {member.kid for member in epoch.members}
        gone: set[bytes] = set()
        if change in ("join", "join_two"):
            for _ in range(1 if change == "join" else 2):
                votes.add(self._newcomer().kid)
        elif change == "return":
            votes.update(member.kid for member in epoch.others[:1])
        else:
            bearable = [kid for kid in sorted(votes) if self._bears(votes - {kid})]
            if bearable:
                kid = self._random.choice(bearable)
                votes.remove(kid)
                gone.update([kid] if change == "leave" else [])
        return _Wish(frozenset(votes), frozenset(gone))

    def _bears(self, votes: set[bytes]) -> bool:
        """Whether such a committee has no more faulty members than its f, and every meter still
        has a gateway to go to that keeps nothing back: whoever leaves has seen to that."""
        good = [gateway for gateway in self._world.sound if not gateway.hoards]
        return len(votes & self._world.faulty) <= (len(votes) - 1) // 3 and all(
            any(door.kid in votes for door in meter.doors if door in good)
            for meter in self._world.meters
        )

    def _newcomer(self) -> "SimGateway":
        """A machine that follows from now on, with a key that the ledger does not know."""
        world = self._world
        number = len(world.gateways)
        gateway = world.add_member(f"g{number}", number)
        gateway.start()
        return gateway

    def _propose(self, proposer: "SimGateway", epoch: Epoch) -> None:
        assert self._wish is not None
        present = {member.kid: member for member in epoch.everyone}
        rows: dict[bytes, Member] = {}
        promises: dict[bytes, bytes] = {}
        for kid, member in present.items():
            if kid not in self._wish.gone:
                rows[kid] = replace(member, role=genesis.OBSERVER)
        for gateway in self._world.gateways:
            if gateway.kid in self._wish.votes:
                rows[gateway.kid] = gateway.member
                if present.get(gateway.kid) != gateway.member and gateway.is_up:
                    promises[gateway.kid] = self._ready(gateway, epoch)
        following = EpochChange(
            tuple(row for _, row in sorted(rows.items())), epoch.rules, epoch.constants
        )
        body = transaction.change_body(Change(epoch.number, following, tuple(promises.values())))
        proposer.submit(transaction.CHANGE, body)

    def _ready(self, gateway: "SimGateway", epoch: Epoch) -> bytes:
        head = gateway.driver.head
        return ready.build(
            epoch.ledger_id,
            cheap_keys.signer(gateway.member.block_key),
            epoch=epoch.number,
            commit_index=head.index,
            commit_digest=head.digest,
            member=gateway.member,
        )

    def _approve(self, most: "SimGateway", voters: Sequence["SimGateway"]) -> None:
        """Everybody approves what is proposed, once in a while."""
        for pending in alliance.pending_changes(most.driver.state, most.driver.epoch):
            for gateway in voters:
                if gateway.kid not in pending.approvers and self._random.random() < 0.3:
                    body = transaction.approve_body(Approve(pending.digest))
                    gateway.submit(transaction.APPROVE, body)
