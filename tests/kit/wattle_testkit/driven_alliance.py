"""Several real drivers over real databases, wired in memory: no network, time in the test's hand.

Messages arrive at once and in order. Killing a gateway is forgetting everything but its file.
"""

import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from wattle_gateway.consensus.engine import Now
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.driver import LedgerDriver, OpenDatabase
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store import connection as database
from wattle_gateway.sync.parcels import ArchiveRequest, Parcel

from wattle_testkit.alliance import (
    CREATED_MS,
    Party,
    approve_entry,
    change_entry,
    epoch_of,
    following,
    ready_of,
    transaction_entry,
)

# A message answered by a message answered ... must come to an end within an instant.
DELIVERIES_MAX = 20_000
_Result = TypeVar("_Result")


@dataclass
class DrivenMember:
    """One gateway. `driver` None while it is down; `heard` all progress since its last start."""

    party: Party
    path: Path
    driver: LedgerDriver | None = None
    next_tick_ms: int = 0
    heard: list[Progress] = field(default_factory=list)

    @property
    def kid(self) -> bytes:
        """kid of its block key."""
        return self.party.kid

    @property
    def up(self) -> LedgerDriver:
        """Its driver; it must be up."""
        assert self.driver is not None
        return self.driver


class DrivenAlliance:
    """Gateways of one ledger; all that are up are linked unless `cut` said otherwise.

    `opened` how a member's database is opened, if not as usual. `archives`: what a member answers
    out of its archive, from its next start on. `messages`, `message_bytes`: what
    each gateway has sent to and was sent by the others.
    """

    def __init__(self, folder: Path, *parties: Party, epoch: Epoch | None = None) -> None:
        """The members of `epoch` (of the parties, if it is not given), all up."""
        self.folder = folder
        self.epoch = epoch or epoch_of(*parties)
        self.unix_ms = CREATED_MS + 10_000
        self.steady_ms = 1_000_000
        self.members: dict[str, DrivenMember] = {}
        self.opened: dict[str, OpenDatabase] = {}
        self.archives: dict[str, Callable[[ArchiveRequest], Parcel]] = {}
        self.messages: Counter[str] = Counter()
        self.message_bytes: Counter[str] = Counter()
        self._cut: set[frozenset[str]] = set()
        self._post: deque[tuple[str, str, bytes]] = deque()
        for party in parties:
            self.add_member(party)

    @property
    def now(self) -> Now:
        """Both clocks."""
        return Now(self.unix_ms, self.steady_ms)

    def __getitem__(self, name: str) -> LedgerDriver:
        return self.members[name].up

    def add_member(self, party: Party, *, lost: bool = False) -> DrivenMember:
        """A gateway with an empty ledger, started."""
        member = DrivenMember(party, self.folder / f"{party.name}.db")
        self.members[party.name] = member
        database.create_ledger(member.path, self.epoch.ledger_id, lost=lost)
        self.start(party.name)
        return member

    def start(self, name: str) -> None:
        """Start a gateway from its file and link it."""
        member = self.members[name]
        member.driver = LedgerDriver(
            member.path,
            self.epoch,
            member.kid,
            member.party.sign,
            member.party.checkpoint_key.sign,
            open_database=self.opened.get(name, database.open_writer),
            archive_read=name in self.archives,
        )
        member.driver.open()
        member.heard.clear()
        self.link_all(name)

    def link_all(self, name: str) -> None:
        """Link a gateway that has just come up."""
        self.members[name].next_tick_ms = self.steady_ms
        for other in self._linked(name):
            self._link(name, other)
            self._link(other, name)

    def kill(self, name: str) -> None:
        """Power off: nothing but the file is left."""
        member = self.members[name]
        linked = self._linked(name)
        member.up.close()
        member.driver = None
        self._post = deque(item for item in self._post if name not in item[:2])
        for other in linked:
            self._unlink(other, name)

    def lose_disk(self, name: str) -> None:
        """A dead gateway's ledger is gone; its keys are not."""
        member = self.members[name]
        assert member.driver is None
        for path in self.folder.glob(f"{member.path.name}*"):
            path.unlink()
        database.create_ledger(member.path, self.epoch.ledger_id, lost=True)

    def restore(self, name: str, copy: Path) -> None:
        """An old copy takes the place of a dead gateway's file."""
        member = self.members[name]
        assert member.driver is None
        for path in self.folder.glob(f"{member.path.name}*"):
            path.unlink()
        shutil.copy(copy, member.path)

    def copy_of(self, name: str) -> Path:
        """A copy of a dead gateway's file."""
        member = self.members[name]
        assert member.driver is None
        return Path(shutil.copy(member.path, member.path.with_suffix(".copy")))

    def cut(self, *names: str) -> None:
        """Cut these gateways off from all others (not from each other)."""
        for name in names:
            for other in set(self.members) - set(names):
                if other in self._linked(name):
                    self._unlink(name, other)
                    self._unlink(other, name)
                self._cut.add(frozenset((name, other)))

    def heal(self) -> None:
        """Mend every link."""
        cut, self._cut = self._cut, set()
        for name, other in (sorted(pair) for pair in sorted(cut, key=sorted)):
            if self.members[name].driver is not None and self.members[other].driver is not None:
                self._link(name, other)
                self._link(other, name)

    def add(self, name: str, *bodies: bytes) -> Progress:
        """Store entries durably at a gateway."""
        rows = [entry_row(body, self.epoch.ledger_id) for body in bodies]
        return self._note(name, self[name].add(rows, self.now))

    def step(
        self, name: str, work: Callable[[LedgerDriver, Now], tuple[_Result, Progress]]
    ) -> tuple[_Result, Progress]:
        """A step of one gateway, as `LedgerThread` does it."""
        result, progress = work(self[name], self.now)
        return result, self._note(name, progress)

    def transact(self, name: str, kind: int, body: object) -> Progress:
        """A transaction of a member, by its own gateway, in the next lane place."""
        nonce = self[name].next_nonce(0)
        party = self.members[name].party
        return self.add(name, transaction_entry(self.epoch, party, kind, body, nonce=nonce))

    def change(self, by: str, joiners: Iterable[str], members: Iterable[str]) -> None:
        """An epoch change to these members, proposed by one and approved by all that are up."""
        epoch = self[by].epoch
        up = {member.party.name: member.kid for member in self._up()}
        present = [name for name, kid in up.items() if epoch.author_of(kid) is not None]
        parties = [self.members[name].party for name in members]
        signed = [ready_of(epoch, self.members[name].party, self[name].head) for name in joiners]
        waiting = change_entry(
            epoch,
            self.members[by].party,
            following(*parties, constants=epoch.constants),
            signed,
            nonce=self[by].next_nonce(0),
        )
        self.add(by, waiting)
        self.run(1000)
        for name in present:
            if name != by:
                nonce, party = self[name].next_nonce(0), self.members[name].party
                self.add(name, approve_entry(epoch, party, waiting, nonce=nonce))
        self.run(1000)

    def run(self, duration_ms: int) -> None:
        """Let time pass: messages are delivered, gateways tick when they asked to."""
        end_ms = self.steady_ms + duration_ms
        self.deliver()
        while True:
            due_ms = min((m.next_tick_ms for m in self._up()), default=end_ms + 1)
            if due_ms > end_ms:
                break
            self.pass_ms(max(0, due_ms - self.steady_ms))
            for member in list(self._up()):
                if member.driver is not None and member.next_tick_ms <= self.steady_ms:
                    self.tick(member.party.name)
            self.deliver()
        self.pass_ms(end_ms - self.steady_ms)

    def tick(self, name: str) -> Progress:
        """Tick one gateway."""
        return self._note(name, self[name].tick(self.now))

    def hear(self, name: str, sender: bytes, raw: bytes) -> Progress:
        """A message of somebody with this kid; a test may have made it up."""
        return self._note(name, self[name].receive(sender, raw, self.now))

    def deliver(self) -> None:
        """Deliver messages until none is on its way."""
        for _ in range(DELIVERIES_MAX):
            if not self._post:
                return
            sender, receiver, raw = self._post.popleft()
            driver = self.members[receiver].driver
            if driver is not None and frozenset((sender, receiver)) not in self._cut:
                progress = self.hear(receiver, self.members[sender].kid, raw)
                assert not progress.faults, (sender, receiver, progress.faults)
        raise AssertionError("the messages of an instant come to no end")

    def close(self) -> None:
        """Close every database."""
        for member in self._up():
            member.up.close()
            member.driver = None

    def blocks(self) -> dict[tuple[int, int, int], set[bytes]]:
        """(epoch, author, round) -> headers, as they lie on the disks of all that are up."""
        found: dict[tuple[int, int, int], set[bytes]] = {}
        for member in self._up():
            rows = member.up.connection.execute("SELECT epoch, author, round, header FROM blocks")
            for epoch, author, round_number, header in rows:
                found.setdefault((epoch, author, round_number), set()).add(header)
        return found

    def heads(self) -> set[tuple[int, bytes, bytes]]:
        """The heads of all gateways that are up."""
        found = {member.up.head for member in self._up()}
        return {(head.index, head.digest, head.state_digest) for head in found}

    def _up(self) -> Iterable[DrivenMember]:
        return [member for member in self.members.values() if member.driver is not None]

    def _linked(self, name: str) -> list[str]:
        return [
            other.party.name
            for other in self._up()
            if other.party.name != name and frozenset((name, other.party.name)) not in self._cut
        ]

    def _link(self, name: str, other: str) -> None:
        self._note(name, self[name].connected(self.members[other].kid, self.now))

    def _unlink(self, name: str, other: str) -> None:
        self._note(name, self[name].disconnected(self.members[other].kid, self.now))

    def _note(self, name: str, progress: Progress) -> Progress:
        member = self.members[name]
        member.next_tick_ms = progress.next_tick_ms
        member.heard.append(progress)
        kids = {other.kid: other.party.name for other in self._up()}
        archived = [self.archives[name](request) for request in progress.archived]
        for parcel in [*progress.to_send, *archived]:
            if parcel.to in kids:
                self._post.append((name, kids[parcel.to], parcel.raw))
                for end in (name, kids[parcel.to]):
                    self.messages[end] += 1
                    self.message_bytes[end] += len(parcel.raw)
        return progress

    def pass_ms(self, duration_ms: int) -> None:
        """The clocks go on, and nobody does anything."""
        self.unix_ms += duration_ms
        self.steady_ms += duration_ms
