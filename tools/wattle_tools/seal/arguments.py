"""`wattle-tool seal`: prepares the steps that burn a chip's eFuses."""

import argparse
from pathlib import Path

from wattle_tools import dry_run
from wattle_tools.boards.arguments import add_json_argument, add_port_arguments, mac


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.description = (
        "Writes a key and the steps into a folder; burns nothing. The steps have not been run on "
        "silicon by this project."
    )
    parser.add_argument("--mac", type=mac, help="this board (default: the only one there is)")
    add_port_arguments(parser)
    dry_run.add_argument(parser)
    add_json_argument(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="for key and steps, made new"
    )
    parser.add_argument(
        "--confirm", metavar="MAC", help="the board's MAC once more: that you know what it costs"
    )
