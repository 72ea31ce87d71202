"""Tasks are started again when they fail, and stopped when told."""

import asyncio

from wattle_meter.board import ERROR, Board
from wattle_meter.tasks import RESTART_AFTER_MS, Tasks
from wattle_testkit.meter_fakes import LoopClock, settle


class FakeBoard(Board):
    def __init__(self):
        self.clock = LoopClock()
        self.logged = []

    def log(self, level, text):
        self.logged.append((level, text))


def case(function):
    """Runs a coroutine over a board and its tasks, which are stopped at the end."""

    def test():
        async def main():
            board = FakeBoard()
            tasks = Tasks(board)
            try:
                await function(board, tasks)
            finally:
                await tasks.stop_all()

        asyncio.run(main())

    return test


async def failing(board, tasks):
    starts = []

    async def work():
        starts.append(board.clock.now_ms)
        if len(starts) < 3:
            raise ValueError("reason %d" % len(starts))
        await asyncio.Event().wait()

    tasks.start("worker", work)
    await settle()
    assert len(starts) == 1
    assert board.logged == [(ERROR, "worker failed: ValueError: reason 1")]
    await board.clock.advance(RESTART_AFTER_MS - 1)
    assert len(starts) == 1
    await board.clock.advance(5 * RESTART_AFTER_MS)
    assert len(starts) == 3
    assert tasks.restarts == 2


test_what_fails_is_logged_counted_and_started_again = case(failing)


async def ending(board, tasks):
    async def work():
        return

    tasks.start("worker", work)
    await board.clock.advance(RESTART_AFTER_MS)
    assert board.logged[0] == (ERROR, "task worker has ended")
    assert tasks.restarts == 2


test_a_task_that_ends_is_no_better_than_one_that_fails = case(ending)


async def others(board, tasks):
    seen = []

    async def breaks():
        raise MemoryError("heap")

    async def works():
        while True:
            seen.append(board.clock.now_ms)
            await board.clock.sleep_ms(100)

    tasks.start("breaks", breaks)
    tasks.start("works", works)
    await board.clock.advance(1000)
    assert len(seen) == 11


test_a_failing_task_takes_no_other_with_it = case(others)


async def stopping(board, tasks):
    ended = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    tasks.start("one", work)
    tasks.start("two", work)
    await settle()
    await tasks.stop("one")
    assert ended == [True]
    await tasks.stop_all()
    assert ended == [True, True]
    await board.clock.advance(10 * RESTART_AFTER_MS)
    assert board.logged == []


test_stopping_waits_for_the_end = case(stopping)


async def swallowing(board, tasks):
    swallowed = []

    async def work():
        while len(swallowed) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(True)
        await asyncio.Event().wait()

    tasks.start("worker", work)
    await settle()
    await tasks.stop("worker")
    assert len(swallowed) == 2


test_a_task_that_swallows_its_cancel_is_cancelled_again = case(swallowing)
