"""Many boards at once: a thread each, one view of all, and Ctrl-C that ends them in order."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Protocol, TypeVar

from wattle_tools.boards import identity
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.errors import NoBoardError
from wattle_tools.flash import job
from wattle_tools.flash.job import JobResult, Order, stopped

# As many as a bench with hubs has; each is a thread that mostly waits for its line.
BOARDS_MAX = 32
_LOOK_S = 0.1

Result = TypeVar("Result")


class View(Protocol):
    """Who is shown how far the boards are."""

    def step(self, board: FoundBoard, step: str, share: float) -> None:
        """A board is at this step, of which `share` (0.0 to 1.0) is done."""

    def end(self, result: JobResult) -> None:
        """A board's job has ended."""

    def refresh(self) -> None:
        """Called again and again while jobs run."""


def find(ports: Sequence[str]) -> list[FoundBoard]:
    """The boards on these lines, in their order, each MAC once (a board may have two lines).

    Raises KeyboardInterrupt.
    """

    found: list[FoundBoard] = []
    for board in _at_once([partial(identity.identify, port) for port in ports]):
        twin = next((row for row in found if row.mac and row.mac == board.mac), None)
        if twin is None:
            found.append(board)
        elif twin.contents is None and board.contents is not None:
            found[found.index(twin)] = board
    return found


def choose(found: Sequence[FoundBoard], macs: Sequence[bytes], every: bool) -> list[FoundBoard]:
    """The boards of a command that takes several: those named by MAC, all, or the only one.

    Raises NoBoardError that names what is there.
    """
    if not found:
        raise NoBoardError("no board is plugged in", "plug one in; --port names a line without USB")
    if every:
        return list(found)
    names = ", ".join(board.name for board in found)
    if macs:
        missing = [mac.hex(":") for mac in macs if mac not in [board.mac for board in found]]
        if missing:
            raise NoBoardError(f"no board {', '.join(missing)}", f"there are: {names}")
        return [board for board in found if board.mac in macs]
    if len(found) > 1:
        raise NoBoardError(
            f"{len(found)} boards are plugged in", f"say --all, or --mac with one of: {names}"
        )
    return list(found)


def choose_one(found: Sequence[FoundBoard], mac: bytes | None) -> FoundBoard:
    """The board of a command that takes one. Raises NoBoardError that names what is there."""
    if mac is None and len(found) > 1:
        names = ", ".join(board.name for board in found)
        raise NoBoardError(f"{len(found)} boards are plugged in", f"say --mac with one of: {names}")
    [board] = choose(found, [] if mac is None else [mac], False)
    return board


def run(
    boards: Sequence[FoundBoard],
    order: Order,
    view: View,
    ended: Callable[[JobResult], None] = lambda result: None,
) -> list[JobResult]:
    """Runs the order on the boards; gives their results in the same order. `ended` gets each as
    soon as it is there, from its thread: whatever becomes of the others, that job was done.

    The first Ctrl-C ends every job at its next touch of the line; each then has its result.
    """
    jobs = [partial(_one, board, order, view, ended) for board in boards]
    return _at_once(jobs, view.refresh, True)


def each(
    boards: Sequence[FoundBoard],
    job_of: Callable[[FoundBoard, Callable[[], None]], Result],
    refresh: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Runs `job_of(board, check)` on the boards as `run` does its order; gives what they give."""

    return _at_once([partial(job_of, board) for board in boards], refresh, True)


def _one(
    board: FoundBoard,
    order: Order,
    view: View,
    ended: Callable[[JobResult], None],
    check: Callable[[], None],
) -> JobResult:
    result = job.run(board, order, partial(view.step, board), check)
    ended(result)
    view.end(result)
    return result


def _at_once(
    jobs: Sequence[Callable[[Callable[[], None]], Result]],
    refresh: Callable[[], None] = lambda: None,
    finish: bool = False,
) -> list[Result]:
    """Runs jobs beside each other. On Ctrl-C their `check` raises; `finish`: their results still
    count, else KeyboardInterrupt goes on.
    """
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise stopped()

    with ThreadPoolExecutor(BOARDS_MAX) as pool:
        running: list[Future[Result]] = [pool.submit(job, check) for job in jobs]
        try:
            _await(running, refresh)
        except KeyboardInterrupt:
            stop.set()
            if not finish:
                raise
            _await(running, refresh)
    return [future.result() for future in running]


def _await(running: Sequence["Future[Result]"], refresh: Callable[[], None]) -> None:
    while wait(running, _LOOK_S).not_done:
        refresh()
    refresh()
