"""One run of a ROM image on the emulated board, in a qemu of its own."""

from pathlib import Path

from wattle_hil import parts
from wattle_hil.children.processes import run as run_process
from wattle_hil.errors import BoardError

# Where firmware/boards/qemu looks for the image: PSRAM of the board.
_IMAGE_ADDRESS = 0x21000000
# qemu's -icount lets each instruction take 2^shift ns of the board's time, on any host the same.
_SHIFT = 10
_NS_PER_TICK = 1_000
_SAID_CHARS = 2_000


def run(
    image: Path, *, counted: bool = False, line: Path | None = None, deadline_s: float = 120
) -> str:
    """What the program of an image printed.

    counted: the board's microsecond counter counts instructions (`instructions`) instead of time.
    line: a tty, for the board's second UART.
    Raises BoardError when the program fails, PartMissingError without a board, ProcessError.
    """
    qemu, firmware = parts.board()
    command = [
        *(str(qemu), "-machine", "mps2-an385", "-display", "none", "-monitor", "none"),
        *("-semihosting", "-serial", "stdio", "-kernel", str(firmware)),
        *("-device", f"loader,file={image},addr={_IMAGE_ADDRESS:#x},force-raw=on"),
    ]
    if line is not None:
        command += ["-serial", str(line.resolve())]
    if counted:
        # An idle board waits for nobody: otherwise the host's time comes into the count.
        command += ["-icount", f"shift={_SHIFT},sleep=off"]
    done = run_process("emulated board", command, deadline_s)
    if done.code != 0:
        said = (done.output + done.errors).strip()[-_SAID_CHARS:]
        raise BoardError(f"the program failed on the emulated board: {said}")
    return done.output.replace("\r\n", "\n")


def instructions(ticks: int) -> int:
    """The instructions in `ticks` microseconds of a counted run."""
    return (ticks * _NS_PER_TICK) >> _SHIFT
