"""The synchronizer: what one gateway says to its peers, and what it takes from them.

    input  = connected | disconnected | receive(bytes) | after(own new blocks) | tick | new_epoch
    output = parcels to send, and in `Received` what the engine and the driver are to be given

It owns no clock, no randomness and no I/O: `steady_ms` is the monotonic clock. The driver calls
it within its steps and sends the parcels when the step is durable. Only valid blocks leave it.

How a gateway keeps up: it streams its own new blocks to who subscribed (`streams`); what a block
names and is not held is fetched by name (`fetching`); who is far behind asks for commits with
the votes that prove them (`history`); hints of what each holds go round every ten seconds and
mend what was lost. How it starts: `recovery`.
"""

from collections.abc import Callable, Mapping, Sequence

from wattle_gateway.errors import GatewayError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import BlockError, LedgerError
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import reader
from wattle_gateway.sync.answering import REQUEST_COST_BYTES, Answerer
from wattle_gateway.sync.errors import PeerMessageError, SyncError
from wattle_gateway.sync.fetching import Fetcher
from wattle_gateway.sync.gossip import Gossip
from wattle_gateway.sync.history import HistoryClient
from wattle_gateway.sync.holdings import HoldingsTeller
from wattle_gateway.sync.intake import CheckBlock, Intake, ParseBlock
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.parcels import (
    ArchiveRequest,
    CheckpointShare,
    Parcel,
    Received,
    SignedCheckpoint,
)
from wattle_gateway.sync.peer import Links, Peer, Request
from wattle_gateway.sync.recovery import Recovery, Silence
from wattle_gateway.sync.shelf import Shelf
from wattle_gateway.sync.streams import Streams

# How often a candidate's papers are looked at.
JOIN_AGAIN_MS = 1000

_GUEST_MESSAGES = (m.Holdings, m.Fetch, m.Subscribe, m.Commits, m.Join)


class Synchronizer:
    """One gateway's side of all its peer links."""

    def __init__(
        self,
        epoch: Epoch,
        own_kid: bytes,
        shelf: Shelf,
        verify: Verify,
        *,
        seed: bytes,
        wiped: bool = False,
        silent_through: int | None = None,
        parse: ParseBlock = block_format.parse,
        check: CheckBlock = block_format.check,
    ) -> None:
        """`seed`: random bytes of this start. `wiped`: the store was made for keys that existed
        (rule 32), `silent_through` what an earlier start found. `parse` and `check` may be
        caches of the same functions."""
        self._links = Links(epoch, own_kid)
        self._shelf = shelf
        self._seed = seed
        self._intake = Intake(epoch, verify, parse, check)
        self._holdings = HoldingsTeller(self._links, shelf)
        self._streams = Streams(self._links, shelf)
        self._fetcher = Fetcher(self._links, shelf)
        self.history = HistoryClient(self._links, shelf)
        self._answerer = Answerer(shelf, self._intake)
        self._gossip = Gossip(self._links, self._intake)
        self._silence = Silence(wiped, silent_through)
        self._recovery = self._begin_recovery()
        self._handlers = self._table()
        if self._recovery is not None:
            self._recovery.step(shelf, 0, far_behind=False)

    # What the driver asks.

    @property
    def resume_above(self) -> int | None:
        """The round above which the engine may sign in this epoch; None: it must be silent."""
        return None if self._recovery is None else self._recovery.resume_above

    @property
    def silent_through(self) -> int | None:
        """For a wiped gateway: the last epoch in which it stays silent, once that is known."""
        return self._silence.through

    @property
    def claims(self) -> Mapping[bytes, m.Holdings]:
        """What each linked member last said it holds, by kid: for people, not for decisions."""
        return {peer.kid: peer.claim for peer in self._links.members() if peer.claim is not None}

    @property
    def reached(self) -> int:
        """The highest commit that an honest voting member is sure to have executed, by what the
        linked ones last said: of f + 1 that claim a commit, one does not lie. 0 if too few have
        said anything."""
        epoch = self._links.epoch
        claims = sorted(
            (claim.index for kid, claim in self.claims.items() if epoch.author_of(kid) is not None),
            reverse=True,
        )
        return claims[epoch.faulty_max] if len(claims) > epoch.faulty_max else 0

    @property
    def next_tick_ms(self) -> int | None:
        """When `tick` is due; None if nothing is waited for."""
        times = [
            self._streams.next_tick_ms,
            self._fetcher.next_tick_ms,
            self.history.next_tick_ms,
            self._holdings.next_tick_ms,
            None if self._recovery is None else self._recovery.next_tick_ms(self._links),
        ]
        return min((time for time in times if time is not None), default=None)

    # What the driver tells.

    def connected(self, kid: bytes, steady_ms: int, *, guest: bool = False) -> Sequence[Parcel]:
        """A link is up; `guest`: the peer showed a token instead of a member's certificate.

        A guest's kid is a mere claim: it never takes the place of a member's link, and who owns
        the links must not hand over its messages under the kid of a member.
        """
        if kid == self._links.own_kid:
            return []
        known = self._links.get(kid)
        if known is not None:
            if guest and not known.guest:
                return []
            self.disconnected(kid)
        peer = self._links.add(kid, guest)
        if peer is None:
            return []
        self._fetcher.somebody_new()
        return [
            self._holdings.tell(peer, steady_ms),
            *self._gossip.greeting(peer),
            *self._work(steady_ms),
        ]

    def disconnected(self, kid: bytes) -> None:
        """A link is down."""
        peer = self._links.remove(kid)
        if peer is not None:
            self._fetcher.gone(peer)
            self.history.gone(kid)

    def receive(self, kid: bytes, raw: bytes, steady_ms: int) -> Received:
        """One message of a peer, whatever its bytes are. Raises nothing."""
        peer = self._links.get(kid)
        if peer is None:
            return Received()
        try:
            message = reader.parse(raw)
            if peer.guest and not isinstance(message, _GUEST_MESSAGES):
                # No fault: it may be a member in an epoch that begins here only later. Its link
                # has to be made anew before it is heard as one.
                return Received()
            handler = self._handlers.get(type(message))
            if handler is None:
                raise PeerMessageError(f"{m.KIND_NAMES[raw[0]]} on a link that is up")
            received = handler(peer, message, steady_ms)
        except (SyncError, LedgerError) as error:
            received = Received(faults=(str(error),))
        if not received.blocks and not received.history:
            received.parcels = [*received.parcels, *self._work(steady_ms)]
        return received

    def after(self, made: Sequence[VerifiedBlock], steady_ms: int) -> Sequence[Parcel]:
        """The engine has taken a step: `made` = `Output.to_send`, its new own blocks."""
        return [*self._streams.send(made), *self._work(steady_ms)]

    def tick(self, steady_ms: int) -> Sequence[Parcel]:
        """Time has passed."""
        parcels = self._streams.tick(steady_ms)
        return [*parcels, *self._holdings.tick(steady_ms), *self._work(steady_ms)]

    def new_epoch(self, epoch: Epoch, steady_ms: int) -> Sequence[Parcel]:
        """The next epoch is in force, and the shelf shows it (rule 30)."""
        self._links.epoch = epoch
        self._intake.epoch = epoch
        self._fetcher.new_epoch()
        self.history.new_epoch()
        self._gossip.new_epoch()
        for peer in self._links:
            peer.asked_last_ms = None
        self._recovery = self._begin_recovery(signed_before=self.resume_above is not None)
        parcels = [self._holdings.tell(peer, steady_ms) for peer in self._links]
        return [*parcels, *self._streams.new_epoch(steady_ms), *self._work(steady_ms)]

    def history_refused(self, kid: bytes, steady_ms: int) -> None:
        """The graph did not bear out a proved commit of this peer: it lied about its blocks."""
        self.history.refuse(kid, steady_ms)

    def answer_here(self, request: ArchiveRequest) -> Parcel:
        """The answer to a request that the archive did not answer: what is here of it."""
        return self._answerer.here(request)

    def gossip_evidence(self, raw: bytes) -> Sequence[Parcel]:
        """Evidence that was found here: an entry, encoded."""
        return self._gossip.evidence(raw, None).parcels

    def know_cards(self, raws: Sequence[bytes], steady_ms: int) -> Sequence[Parcel]:
        """The own card and those of the address book. LedgerError for one that is not valid."""
        return self._gossip.cards(raws, None, steady_ms).parcels

    def share_checkpoint(self, own: CheckpointShare) -> Sequence[Parcel]:
        """The newest own checkpoint signature; told again to everyone who comes."""
        return self._gossip.share(own)

    def tell_false(self, signed: SignedCheckpoint) -> Sequence[Parcel]:
        """A member's checkpoint that is not of our log; told again to everyone who comes."""
        return self._gossip.tell_false(signed)

    def hand_on(self, raw: bytes) -> Sequence[Parcel]:
        """An own transaction (COSE_Sign1), for others to carry; empty: nobody is there to."""
        return self._gossip.hand_on(raw)

    # Messages, by their type.

    def _table(self) -> Mapping[type, Callable[..., Received]]:
        return {
            m.OwnBlock: self._own_block,
            m.Holdings: self._holdings_of,
            m.Fetch: self._answerer.fetch,
            m.Blocks: self._blocks,
            m.Subscribe: self._subscribe,
            m.Commits: self._answerer.commits,
            m.History: self._history_of,
            m.AskLast: self._ask_last,
            m.Last: self._last,
            m.Evidence: self._evidence,
            m.Checkpoint: self._checkpoint,
            m.Cards: self._cards,
            m.Join: self._join,
            m.Carry: self._gossip.carry,
            m.FalseCheckpoint: self._gossip.contested,
        }

    def _own_block(self, peer: Peer, message: m.OwnBlock, steady_ms: int) -> Received:
        header = self._intake.header(message.block.header)
        if header.kid != peer.kid:
            raise BlockError(f"block of {header.kid.hex()} in the stream of {peer.kid.hex()}")
        self._streams.came(peer, header.round)
        if header.epoch != self._links.epoch.number or self._shelf.has(header.ref):
            # Another epoch is no fault: the sender has gone over already, or not yet.
            return Received()
        verified = self._intake.check(header, message.block)
        self._fetcher.named_by(header, peer.kid)
        return Received(blocks=(verified,))

    def _holdings_of(self, peer: Peer, message: m.Holdings, steady_ms: int) -> Received:
        epoch = self._shelf.epoch(message.epoch)
        if epoch is not None and len(message.rounds) != epoch.size:
            raise PeerMessageError(
                f"holdings of {len(message.rounds)} authors, expected {epoch.size}"
            )
        before = peer.claim
        peer.claim = message
        peer.dry = False
        peer.proves_no_more = False
        if before is None or before.epoch != message.epoch:
            peer.asked_last_ms = None
        if message.epoch < self._links.epoch.number:
            return Received(self._holdings.tell_straggler(peer, steady_ms))
        return Received()

    def _blocks(self, peer: Peer, message: m.Blocks, steady_ms: int) -> Received:
        request = self._fetcher.answered(peer, message)
        if request is None or request.epoch != self._links.epoch.number:
            return Received()
        taken: list[VerifiedBlock] = []
        faults: list[str] = []
        for packed in message.blocks:
            try:
                verified = self._asked_block(request, packed)
            except LedgerError as error:
                faults.append(str(error))
                continue
            if verified is not None:
                taken.append(verified)
                self._fetcher.named_by(verified.block, peer.kid)
                self._streams.came_otherwise(verified.block.author, verified.block.round, steady_ms)
        ended = peer.claim is not None and peer.claim.epoch > self._links.epoch.number
        member = self._links.author_of(peer.kid) is not None
        voucher = peer.kid if ended and member else None
        return Received(blocks=tuple(taken), voucher=voucher, faults=tuple(faults))

    def _asked_block(self, request: Request, packed: PackedBlock) -> VerifiedBlock | None:
        """A valid block that was asked for; None if it has come meanwhile."""
        header = self._intake.header(packed.header)
        ref = header.ref
        if header.epoch != request.epoch:
            raise BlockError(f"answer with a block of epoch {header.epoch}, not {request.epoch}")
        if ref not in request.refs:
            lacked = request.rounds and ref.author < len(request.rounds)
            if not lacked or ref.round <= request.rounds[ref.author]:
                raise BlockError(f"answer with a block of round {ref.round} nobody asked for")
        if self._shelf.has(ref):
            return None
        return self._intake.check(header, packed)

    def _subscribe(self, peer: Peer, message: m.Subscribe, steady_ms: int) -> Received:
        peer.budget.spend(REQUEST_COST_BYTES)
        return Received(self._streams.subscribed(peer, message, steady_ms))

    def _history_of(self, peer: Peer, message: m.History, steady_ms: int) -> Received:
        try:
            return Received(history=self.history.answered(peer, message, self._intake, steady_ms))
        except GatewayError:
            self.history.refuse(peer.kid, steady_ms)
            raise

    def _ask_last(self, peer: Peer, message: m.AskLast, steady_ms: int) -> Received:
        """Answered by everyone at any time, else a power cut of all would silence all."""
        epoch = self._shelf.epoch(message.epoch)
        author = None if epoch is None else epoch.author_of(peer.kid)
        newest = None if author is None else self._shelf.newest_of(message.epoch, author)
        number = self._links.epoch.number
        if newest is None:
            answer = m.Last(message.nonce, number, 0, None)
        else:
            answer = m.Last(message.nonce, number, newest.round, newest.raw)
        return Received([Parcel(peer.kid, answer.encode(), m.LAST)])

    def _last(self, peer: Peer, message: m.Last, steady_ms: int) -> Received:
        if self._recovery is not None and self._links.author_of(peer.kid) is not None:
            self._recovery.answered(peer.kid, message, self._intake)
        return Received()

    def _evidence(self, peer: Peer, message: m.Evidence, steady_ms: int) -> Received:
        return self._gossip.evidence(message.entry, peer.kid)

    def _checkpoint(self, peer: Peer, message: m.Checkpoint, steady_ms: int) -> Received:
        if self._links.author_of(peer.kid) is None:
            # Its vote may begin with an epoch that has not begun here.
            return Received()
        share = CheckpointShare(
            peer.kid, message.commit_index, message.size, message.root, message.signature
        )
        return Received(checkpoints=(share,))

    def _cards(self, peer: Peer, message: m.Cards, steady_ms: int) -> Received:
        return self._gossip.cards(message.cards, peer.kid, steady_ms)

    def _join(self, peer: Peer, message: m.Join, steady_ms: int) -> Received:
        if peer.joined_ms is not None and steady_ms < peer.joined_ms + JOIN_AGAIN_MS:
            return Received()
        peer.joined_ms = steady_ms
        return Received(joins=(self._gossip.join(message, peer.kid),))

    # What is due after anything has happened.

    def _work(self, steady_ms: int) -> list[Parcel]:
        """Ask for what is needed now: commits, blocks, streams, the own newest block."""
        far_behind = self.history.far_behind(steady_ms)
        parcels = self.history.plan(steady_ms)
        if self._recovery is not None:
            parcels += self._recover(self._recovery, steady_ms, far_behind=far_behind)
        parcels += self._fetcher.plan(steady_ms, far_behind=far_behind)
        if not far_behind:
            parcels += self._streams.wanted(steady_ms)
        return parcels

    def _begin_recovery(self, *, signed_before: bool = False) -> Recovery | None:
        author = self._links.author
        if author is None:
            return None
        recovery = Recovery(self._links.epoch, author, self._seed, self._silence)
        if signed_before:
            recovery.not_needed()
        return recovery

    def _recover(self, recovery: Recovery, steady_ms: int, *, far_behind: bool) -> list[Parcel]:
        asked = recovery.to_ask(self._links, steady_ms)
        recovery.step(self._shelf, steady_ms, far_behind=far_behind)
        if recovery.wanted is not None:
            newest, holder = recovery.wanted
            if not self._shelf.has(newest.ref):
                self._fetcher.want(newest.ref, holder)
        if not asked:
            return []
        ask = m.AskLast(recovery.nonce, self._links.epoch.number).encode()
        return [Parcel(peer.kid, ask, m.ASK_LAST) for peer in asked]
