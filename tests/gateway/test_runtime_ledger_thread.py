"""The driver beside an event loop: it keeps time, and a failed write is not the end."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from wattle_gateway.consensus.engine import Now
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import crypto
from wattle_gateway.runtime import ledger_thread
from wattle_gateway.runtime.clock import WallClock
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.errors import DivergenceError
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store import connection as database
from wattle_testkit.alliance import GRID, Board, enrol_entry, epoch_of, private_key, sample_entry

EPOCH = epoch_of()
DEADLINE_S = 20


class Listener:
    """Hears progress and lets a story wait for some."""

    def __init__(self) -> None:
        self.heard: list[Progress] = []
        self._more = asyncio.Event()

    def __call__(self, progress: Progress) -> None:
        self.heard.append(progress)
        self._more.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), DEADLINE_S)


def run(tmp_path: Path, story: Callable[[LedgerThread, Listener], Awaitable[None]]) -> None:
    """Run a story against a ledger thread that keeps time."""

    async def all_of_it() -> None:
        path = tmp_path / "ledger.db"
        database.create_ledger(path, EPOCH.ledger_id)
        driver = LedgerDriver(path, EPOCH, GRID.kid, crypto.signer(private_key("grid block")))
        listener = Listener()
        ledger = LedgerThread(driver, WallClock(), listener)
        await ledger.open()
        time_keeper = asyncio.create_task(ledger.keep_time())
        try:
            await story(ledger, listener)
            assert not time_keeper.done()
        finally:
            time_keeper.cancel()
            await ledger.close()

    asyncio.run(all_of_it())


async def add(ledger: LedgerThread, *bodies: bytes) -> None:
    """Store entries as one step."""

    def work(driver: LedgerDriver, at: Now) -> tuple[None, Progress]:
        return None, driver.add([entry_row(body, EPOCH.ledger_id) for body in bodies], at)

    await ledger.step(work)


async def _taken(ledger: LedgerThread, body: bytes) -> bool:
    try:
        await add(ledger, body)
    except StoreError:
        return False
    return True


def final(listener: Listener, board: Board) -> int:
    views = [p.acks[board.kid] for p in listener.heard if board.kid in p.acks]
    return views[-1].final if views else -1


def test_samples_become_final_without_being_asked(tmp_path: Path) -> None:
    async def story(ledger: LedgerThread, listener: Listener) -> None:
        board = Board("meter", EPOCH)
        await add(ledger, enrol_entry(board))
        await listener.until(lambda: any(p.registry_changed for p in listener.heard))
        await add(ledger, sample_entry(board.sample(1)))
        await add(ledger, sample_entry(board.sample(2)))
        await listener.until(lambda: final(listener, board) == 2)

    run(tmp_path, story)


def test_after_a_failed_write_it_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_thread, "REOPEN_PAUSE_S", 0.05)

    async def story(ledger: LedgerThread, listener: Listener) -> None:
        board = Board("meter", EPOCH)
        await add(ledger, enrol_entry(board))
        await listener.until(lambda: any(p.registry_changed for p in listener.heard))
        await ledger.read(lambda driver: driver.connection.execute("PRAGMA max_page_count = 1"))
        samples = [sample_entry(board.sample(seq)) for seq in range(1, 200)]
        with pytest.raises(StoreError, match="full"):
            await add(ledger, *samples)
        assert ledger.failures == 1
        assert ledger.trouble == "the database failed and is not open yet"
        # While it is broken nothing is taken; then it is open again, with room.
        while not await _taken(ledger, samples[0]):
            await asyncio.sleep(0.01)
        assert ledger.trouble == ""
        await listener.until(lambda: final(listener, board) == 1)

    run(tmp_path, story)


def test_a_disk_that_stays_full_is_tried_ever_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try reads the whole ledger, and is two lines of the log."""
    monkeypatch.setattr(ledger_thread, "REOPEN_PAUSE_S", 0.02)
    monkeypatch.setattr(ledger_thread, "REOPEN_PAUSE_MAX_S", 0.08)

    async def story(ledger: LedgerThread, _listener: Listener) -> None:
        opened: list[float] = []
        loop = asyncio.get_running_loop()
        driver = await ledger.read(lambda driver: driver)
        really = driver.open

        def counted() -> None:
            opened.append(loop.time())
            really()

        def full(_at: Now) -> Progress:
            raise StoreError("planted: disk full")

        monkeypatch.setattr(driver, "open", counted)
        with monkeypatch.context() as broken:
            broken.setattr(driver, "tick", full)
            with pytest.raises(StoreError):
                await ledger.step(lambda driver, at: (None, driver.tick(at)))
            async with asyncio.timeout(DEADLINE_S):
                while len(opened) < 5:
                    await asyncio.sleep(0.005)
        gaps = [later - earlier for earlier, later in pairwise(opened)]
        for gap, least in zip(gaps[:4], (0.04, 0.08, 0.08, 0.08), strict=True):
            assert gap >= least - 0.005
        board = Board("meter", EPOCH)
        async with asyncio.timeout(DEADLINE_S):
            while not await _taken(ledger, enrol_entry(board)):
                await asyncio.sleep(0.005)

    run(tmp_path, story)


def test_a_fault_of_ours_ends_the_time_keeper(tmp_path: Path) -> None:
    async def story(ledger: LedgerThread, listener: Listener) -> None:
        def work(driver: LedgerDriver, at: Now) -> tuple[None, Progress]:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await ledger.step(work)

    run(tmp_path, story)


def test_a_divergence_ends_the_gateway_whoever_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        path = tmp_path / "ledger.db"
        database.create_ledger(path, EPOCH.ledger_id)
        driver = LedgerDriver(path, EPOCH, GRID.kid, GRID.sign)
        ledger = LedgerThread(driver, WallClock(), Listener())
        await ledger.open()
        time_keeper = asyncio.create_task(ledger.keep_time())

        def diverge(*_: object) -> None:
            raise DivergenceError("planted")

        monkeypatch.setattr(driver, "add", diverge)
        try:
            for _ in range(2):  # the one who meets it, and whoever asks after that
                with pytest.raises(DivergenceError, match="planted"):
                    await ledger.step(lambda driver, at: (None, driver.add([], at)))
            assert ledger.trouble == "stopped: planted"
            with pytest.raises(DivergenceError, match="planted"):
                await asyncio.wait_for(time_keeper, DEADLINE_S)
        finally:
            time_keeper.cancel()
            await ledger.close()

    asyncio.run(story())
