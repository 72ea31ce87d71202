"""`wattle-tool flash`: interpreter and application onto boards, many at once."""

import argparse
from pathlib import Path

from wattle_tools import dry_run
from wattle_tools.boards.arguments import add_port_arguments, mac
from wattle_tools.whole_number import within

# Every USB bridge on such boards manages it.
BAUD = 460_800


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every board that is plugged in")
    which.add_argument(
        "--board",
        "--mac",
        type=mac,
        dest="board",
        action="append",
        default=[],
        metavar="MAC",
        help="this board (12 hex digits); may be given again",
    )
    add_port_arguments(parser)
    image = parser.add_argument_group("interpreter")
    image.add_argument(
        "--image", type=Path, metavar="FILE.bin", help="MicroPython for its chip; else it stays"
    )
    image.add_argument(
        "--known-images",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a list of images that may be used, by hash; may be given again",
    )
    image.add_argument(
        "--accept-image", metavar="HASH", help="take an image that no list knows, by its SHA-256"
    )
    image.add_argument(
        "--erase-files",
        action="store_true",
        help="with --image: erase the board's file system first (its keys stay)",
    )
    image.add_argument(
        "--new-keys",
        action="store_true",
        help="with --image: also where its layout would cost the board its keys",
    )
    image.add_argument("--baud", type=within(1), default=BAUD, help=f"of esptool (default {BAUD})")
    parser.add_argument("--firmware", type=Path, help="sources (default: those that came with it)")
    dry_run.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
