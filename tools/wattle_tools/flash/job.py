"""One board's job: identify, interpreter, application, restart. It ends in a result, never raises.

What is done already is found out by hash and not done again, so a job that was cut off is simply
run once more.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wattle_tools.boards import identity
from wattle_tools.boards.esptool import ROM_BAUD, Loader
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.repl import LineGoneError, NoPromptError, Repl
from wattle_tools.errors import (
    DONE,
    AdvisedError,
    InterruptedJobError,
    NoBoardError,
    SerialLineError,
    ToolError,
)
from wattle_tools.flash import installation, partition_table
from wattle_tools.flash.application import Application
from wattle_tools.flash.interpreter_image import InterpreterImage

WRITTEN, THERE, LEFT, WOULD_WRITE = "written", "there already", "left as it is", "would be written"
# After a reset an ESP32 takes 2 s to its prompt, and makes its file system first when that is new.
_BOOT_S = 20.0
_BOOT_LOOK_S = 0.2

# (step, share of it that is done)
Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Order:
    """What every board of a run is to get. `image` None: its interpreter stays. `erase_files`: its
    file system goes. `new_keys`: its keys may go. `dry`: nothing is changed.
    """

    application: Application
    image: InterpreterImage | None = None
    erase_files: bool = False
    new_keys: bool = False
    dry: bool = False
    baud: int = ROM_BAUD


@dataclass
class JobResult:
    """How it ended. `code`: the exit code it means; `reason` and `advice` of a failure."""

    name: str
    port: str
    chip: str = ""
    code: int = DONE
    reason: str = ""
    advice: str = ""
    seconds: float = 0.0
    done: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.code != DONE

    def note(self, work: Callable[[], None]) -> None:
        """Do the work, and keep how it ended and how long it took; only faults of ours rise."""
        began = time.monotonic()
        try:
            work()
        except AdvisedError as error:
            self.code, self.reason, self.advice = error.exit_code, error.reason, error.advice
        except ToolError as error:
            self.code, self.reason = error.exit_code, str(error)
        self.seconds = time.monotonic() - began


def run(board: FoundBoard, order: Order, told: Told, check: Callable[[], None]) -> JobResult:
    """Carries out the order on a board; `check` raises InterruptedJobError to end it."""
    result = JobResult(board.name, board.port, board.chip)
    result.note(_Job(board, order, told, check, result).run)
    return result


class _Job:
    def __init__(
        self,
        board: FoundBoard,
        order: Order,
        told: Told,
        check: Callable[[], None],
        result: JobResult,
    ) -> None:
        self._board = board
        self._order = order
        self._told = told
        self._check = check
        self._result = result

    def run(self) -> None:
        if self._board.mac is None:
            raise self._board.trouble or NoBoardError(
                "it does not say which MAC it has", "only ESP32 boards can be flashed"
            )
        if self._order.image is None:
            if self._board.trouble is not None:
                raise self._board.trouble
            self._result.done["interpreter"] = LEFT
        else:
            self._write_interpreter(self._order.image)
        self._install()

    def _write_interpreter(self, image: InterpreterImage) -> None:
        loader = Loader(self._board.port, self._check, self._order.baud)
        self._told("compare interpreter", 0.0)
        chip, holds = loader.holds(image.regions)
        if chip.mac != self._board.mac:
            raise NoBoardError(
                f"another board is on {self._board.port} now: {chip.mac.hex(':')}",
                "leave the boards plugged in, and run it again",
            )
        image.check_chip(chip)
        self._result.chip = chip.name
        if not holds:
            table = loader.read(partition_table.TABLE_AT, partition_table.TABLE_BYTES)
            image.check_layout(table, self._order.erase_files, self._order.new_keys)
        if not self._order.dry and self._order.erase_files and image.files is not None:
            self._told("erase files", 0.0)
            loader.erase(*image.files)
            self._result.done["files"] = "erased"
        if holds:
            self._result.done["interpreter"] = THERE
        elif self._order.dry:
            self._result.done["interpreter"] = WOULD_WRITE
        else:
            self._withdraw_mark()
            total = sum(len(region.data) for region in image.regions)
            loader.write(image.regions, lambda written: self._told("interpreter", written / total))
            self._result.done["interpreter"] = WRITTEN

    def _withdraw_mark(self) -> None:
        """An interpreter that is half written, or wrongly, may run: it must not pass for done."""
        if self._board.contents is not None and self._board.contents.mark is not None:
            with Repl(self._board.port, self._check) as repl:
                installation.withdraw_mark(repl)

    def _install(self) -> None:
        self._told("start", 0.0)
        if self._order.dry:
            self._result.done["application"] = self._dry_application()
            return
        with contextlib.ExitStack() as stack:
            repl = self._prompt(stack)
            try:
                self._install_on(repl)
            except AdvisedError:
                # A board that cannot take it goes on with what it has.
                with contextlib.suppress(ToolError):
                    repl.restart()
                raise
            repl.restart()

    def _install_on(self, repl: Repl) -> None:
        contents = identity.read_contents(repl)
        if contents.mac != self._board.mac:
            raise NoBoardError(
                f"another board is on {self._board.port} now",
                "leave the boards plugged in, and run it again",
            )
        self._told("compare", 0.0)
        changed = installation.install(repl, contents, self._order.application, self._told)
        self._result.done["application"] = WRITTEN if changed else THERE

    def _dry_application(self) -> str:
        if self._board.contents is None:
            return WOULD_WRITE
        with Repl(self._board.port, self._check) as repl:
            contents = identity.read_contents(repl)
            work = installation.plan(repl, contents, self._order.application)
            repl.restart()
        return WOULD_WRITE if work.change else THERE

    def _prompt(self, stack: contextlib.ExitStack) -> Repl:
        """The prompt; after a new interpreter the board needs its time to come to it."""
        until = time.monotonic() + (_BOOT_S if self._order.image else 0)
        while True:
            try:
                return stack.enter_context(Repl(self._board.port, self._check))
            except (LineGoneError, NoPromptError) as error:
                if self._order.image is None:
                    raise
                if time.monotonic() > until:
                    raise _never_came(error) from error
            # A chip with USB of its own goes and comes back at a reset.
            time.sleep(_BOOT_LOOK_S)


def _never_came(error: AdvisedError) -> SerialLineError:
    return SerialLineError(
        f"it does not come up with its interpreter: {error.reason}",
        "press its reset button, and run it again; "
        "if a program on it holds the line, add --erase-files",
    )


def stopped() -> InterruptedJobError:
    """What `check` raises when the technician has asked to stop."""
    return InterruptedJobError("interrupted", "run it again: it goes on where it was")
