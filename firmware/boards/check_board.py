"""Checks board files:  python3 check_board.py FILE..   (micropython will do as well)

Prints what is wrong with each, or what it says. Exit code 0: all are sound, 1: not, 2: no file.
"""

import sys

_HERE = __file__.rpartition("/")[0] or "."
sys.path.insert(1, _HERE + "/..")

from wattle_meter import board_file  # noqa: E402 - behind the search path
from wattle_meter.errors import MeterError  # noqa: E402


def shown(board: board_file.BoardFile) -> str:
    """A checked board in a line."""
    number, tx, rx, direction = board.uart
    parts = ["%s, UART%d tx %d rx %d" % (board.chip, number, tx, rx)]
    parts.append("direction by itself" if direction is None else "direction %d" % direction)
    if board.relays:
        parts.append("relays " + " ".join([str(pin) for pin, _ in board.relays]))
    if board.led is not None:
        parts.append("LED %d (%s)" % board.led[:2])
    if board.button is not None:
        parts.append("button %d" % board.button[0])
    return ", ".join(parts)


def main(paths: list[str]) -> int:
    """Checks every path; gives the exit code."""
    if not paths:
        print("check_board.py FILE..")
        return 2
    wrong = 0
    for path in paths:
        try:
            print("%s: %s" % (path.split("/")[-1], shown(board_file.load(path))))
        except (MeterError, OSError) as error:
            print("%s" % error if isinstance(error, MeterError) else "%s: %s" % (path, error))
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
