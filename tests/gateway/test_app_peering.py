"""Links and ledgers of two gateways in one process: what a failing disk does to them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from wattle_gateway import config
from wattle_gateway.app import peering
from wattle_gateway.app.peering import Peering
from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts import registry
from wattle_gateway.errors import StoreError
from wattle_gateway.home import create, draft
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, entry, genesis, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.runtime import ledger_thread
from wattle_gateway.runtime.clock import WallClock, wall_ms
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store.operation_file import OperationFile
from wattle_gateway.sync import messages
from wattle_gateway.sync.parcels import Parcel
from wattle_testkit.gateway_folders import choice
from wattle_testkit.gateway_process import free_port
from wattle_testkit.peer_party import soon

COMMITS_MAX = 50


class Member:
    """Ledger and links of a gateway, without broker and meters."""

    def __init__(self, home: GatewayHome) -> None:
        self.home = home
        self.identity = load_identity(home)
        self.config = config.load(home.config)
        self.sign = crypto.signer(self.identity.block_key)
        self.head = 0
        self.new_cards = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Member"]:
        epoch = first_epoch(self.identity.genesis)
        self.driver = LedgerDriver(self.home.database, epoch, self.identity.kid, self.sign)
        self.ledger = LedgerThread(self.driver, WallClock(), self._progress, self._reopened)
        operation = OperationFile(self.home.operation, epoch.ledger_id)
        await self.ledger.open()
        self.peering: Peering | None = None
        made = Peering(self.home, self.identity, operation, self.ledger, wall_ms, self._card_came)
        head = await self.ledger.read(lambda driver: driver.head)
        self.peering = made
        await made.start(epoch, head, self.config.peers, draft.reach(self.config))
        tasks = [
            asyncio.create_task(self.ledger.keep_time()),
            asyncio.create_task(made.run()),
        ]
        try:
            yield self
            assert not any(task.done() for task in tasks), tasks
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await made.links.stop()
            await self.ledger.close()
            operation.close()

    async def propose(self, nonce: int) -> None:
        """Put a transaction that is refused for its kind on the ledger: it is recorded."""
        raw = transaction.build(
            self.identity.genesis.ledger_id,
            self.identity.kid,
            self.sign,
            lane=0,
            nonce=nonce,
            until_ms=wall_ms() + 3_600_000,
            kind=transaction.REVOKE,
            body=[b"nobody..", 1],
        )
        body = entry.encode(entry.TRANSACTION, raw, 60_000)
        row = entry_row(body, self.identity.genesis.ledger_id)
        await self.ledger.step(lambda driver, at: (None, driver.add([row], at)))

    async def recorded(self, party: "Member") -> int:
        """How many transactions of a member this ledger has."""
        kid = party.identity.kid
        return await self.ledger.read(lambda driver: nonce_of(driver, kid))

    def _progress(self, progress: Progress) -> None:
        self.head = progress.head.index
        if self.peering is not None:
            self.peering.follow(progress)

    def _reopened(self) -> None:
        if self.peering is not None:
            self.peering.begin_anew()

    def _card_came(self) -> None:
        self.new_cards += 1


def nonce_of(driver: LedgerDriver, kid: bytes) -> int:
    return registry.next_nonce(driver.state, kid, 0)


def run(folder: Path, story: Callable[[Member, Member], Awaitable[None]]) -> None:
    """A story about two voting members, whose links are up when it begins."""
    gateways = []
    for name in ("one", "two"):
        chosen = choice(name, port=free_port(), peers_port=free_port())
        gateways.append((folder / name, chosen))
    homes = create.create_alliance("test.wattle", gateways, wall_ms())

    async def all_of_it() -> None:
        one, two = (Member(home) for home in homes)
        async with one.running(), two.running():
            await soon(lambda: linked(one) and linked(two), "a link")
            await story(one, two)

    asyncio.run(all_of_it())


def linked(member: Member) -> bool:
    assert member.peering is not None
    return len(member.peering.links.up()) == 1


async def until_recorded(at: Member, party: Member, count: int) -> None:
    """Wait until a ledger has so many transactions of a member."""
    for _ in range(COMMITS_MAX):
        before = at.head
        if await at.recorded(party) >= count:
            return
        await soon(lambda head=before: at.head != head, "another commit")  # type: ignore[misc]
    raise AssertionError(f"not within {COMMITS_MAX} commits")


def test_what_one_proposes_both_record(tmp_path: Path) -> None:
    async def story(one: Member, two: Member) -> None:
        await one.propose(0)
        await until_recorded(two, one, 1)
        await two.propose(0)
        await until_recorded(one, two, 1)

    run(tmp_path, story)


def test_a_disk_that_failed_once_costs_a_link_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_thread, "REOPEN_PAUSE_S", 0.05)

    async def story(one: Member, two: Member) -> None:
        await one.propose(0)
        await until_recorded(two, one, 1)
        receive, failures = two.driver.receive, []

        def fails_once(peer: bytes, raw: bytes, at: Now) -> Progress:
            if not failures:
                failures.append(raw)
                raise StoreError("planted: disk full")
            return receive(peer, raw, at)

        monkeypatch.setattr(two.driver, "receive", fails_once)
        await one.propose(1)
        await soon(lambda: failures, "the disk fails")
        await until_recorded(two, one, 2)
        await until_recorded(one, one, 2)
        assert two.ledger.failures == 1
        await soon(lambda: linked(one) and linked(two), "a link again")
        assert two.peering is not None
        assert two.peering.links.status()[0].faults == 0
        await two.propose(0)
        await until_recorded(one, two, 1)

    run(tmp_path, story)


def test_a_fault_of_a_peer_ends_its_link(tmp_path: Path) -> None:
    async def story(one: Member, two: Member) -> None:
        assert one.peering is not None
        assert two.peering is not None
        links = one.peering.links
        two.peering.links.send(one.identity.kid, b"\xff")
        await soon(lambda: links.status()[0].faults == 1, "it is counted")
        await soon(lambda: linked(one) and linked(two), "a first fault is forgiven")

    run(tmp_path, story)


def test_short_of_its_machine_a_member_sends_observers_away_and_takes_them_back(
    tmp_path: Path,
) -> None:
    """Two voting members and an observer: what both propose becomes final all the while."""
    gateways = []
    for name, role in (
        ("one", genesis.GRID_COMPANY),
        ("two", genesis.GRID_COMPANY),
        ("watcher", genesis.OBSERVER),
    ):
        chosen = choice(name, role=role, port=free_port(), peers_port=free_port())
        gateways.append((tmp_path / name, chosen))
    homes = create.create_alliance("test.wattle", gateways, wall_ms())

    async def story() -> None:
        one, two, watcher = (Member(home) for home in homes)
        voter, observer = two.identity.kid, watcher.identity.kid
        async with one.running(), two.running(), watcher.running():
            assert one.peering is not None
            links = one.peering.links
            await soon(lambda: set(links.up()) == {voter, observer}, "links to both")
            one.peering.shed_observers(True)
            await soon(lambda: links.up() == [voter], "the observer is gone")
            await one.propose(0)
            await until_recorded(two, one, 1)
            await until_recorded(watcher, one, 1)  # by way of the other
            assert links.up() == [voter]
            one.peering.shed_observers(False)
            await soon(lambda: set(links.up()) == {voter, observer}, "it is back")

    asyncio.run(story())


def test_a_piece_of_history_waits_while_others_are_served_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peering, "SERVING_PAUSE_S", 0.2)

    async def story(one: Member, two: Member) -> None:
        assert one.peering is not None
        sent: list[tuple[float, int]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(
            one.peering.links, "send", lambda _to, raw: sent.append((loop.time(), raw[0]))
        )
        head = await one.ledger.read(lambda driver: driver.head)
        parcels = [
            Parcel(two.identity.kid, bytes([messages.HISTORY]), messages.HISTORY),
            Parcel(two.identity.kid, bytes([messages.BLOCKS]), messages.BLOCKS),
        ]
        one.peering.serves_slowly = True
        began_s = loop.time()
        one.peering.follow(Progress(head, 0, to_send=list(parcels)))
        await soon(lambda: any(kind == messages.HISTORY for _, kind in sent), "the history")
        kinds = [kind for _, kind in sent if kind in (messages.HISTORY, messages.BLOCKS)]
        assert kinds[0] == messages.BLOCKS
        at_s = next(at_s for at_s, kind in sent if kind == messages.HISTORY)
        assert at_s - began_s >= 0.19
        one.peering.serves_slowly = False
        sent.clear()
        one.peering.follow(Progress(head, 0, to_send=list(parcels)))
        assert [kind for _, kind in sent][:2] == [messages.HISTORY, messages.BLOCKS]

    run(tmp_path, story)
