"""`wattle-tool replace read | complete`: exchanging a board, or the device behind it."""

import argparse
from pathlib import Path

from wattle_tools import dry_run
from wattle_tools.boards.arguments import add_json_argument, add_port_arguments, mac
from wattle_tools.exchange import readings
from wattle_tools.provision.arguments import told_as


def add_arguments(group: argparse.ArgumentParser) -> None:
    """Arguments of the command; `step` says which half of it."""
    parsers = group.add_subparsers(required=True, metavar="STEP")
    read = parsers.add_parser("read", help="a signed reading of the meter on the line")
    read.set_defaults(step="read")
    complete = parsers.add_parser(
        "complete", help="hold the first reading of the new one against the old one's last"
    )
    complete.add_argument("old", metavar="OLD", help="<meter>.reading.json, or a meter id")
    complete.add_argument(
        "--typed",
        type=told_as(readings.typed),
        action="append",
        default=[],
        metavar="D:ei=WH[,ee=WH]",
        help="final registers off the display, where the old meter is dead; may be given again",
    )
    complete.set_defaults(step="complete")
    for parser in (read, complete):
        parser.add_argument("--mac", type=mac, help="the board (default: the only one there is)")
        add_port_arguments(parser)
        dry_run.add_argument(parser)
        add_json_argument(parser)
        parser.add_argument("--firmware", type=Path, help="sources (default: its own)")
        parser.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="where to")
