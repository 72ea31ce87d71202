"""`wattle-tool label`: labels of meters, as PNG and PDF."""

import argparse
from pathlib import Path

from wattle_tools import dry_run
from wattle_tools.boards.arguments import add_json_argument, add_port_arguments, mac


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.description = "Of the enrolment files, or of provisioned boards on the line."
    parser.add_argument("file", type=Path, nargs="*", metavar="FILE", help="<meter>.enrol.json")
    parser.add_argument(
        "--mac", type=mac, action="append", default=[], help="this board; may be given again"
    )
    parser.add_argument("--all", action="store_true", help="every board that is plugged in")
    add_port_arguments(parser)
    dry_run.add_argument(parser)
    add_json_argument(parser)
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="where to (default: here)"
    )
