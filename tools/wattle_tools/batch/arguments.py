"""`wattle-tool batch`: many boards by a CSV file."""

import argparse
from pathlib import Path

from wattle_tools.provision import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.description = (
        "JOBS has a header; its column `mac` names the boards, every other is an option of "
        "`provision` without dashes. What a cell leaves empty is as the options here say."
    )
    parser.add_argument("jobs", type=Path, metavar="JOBS", help="CSV file")
    parser.add_argument("--results", type=Path, metavar="FILE", help="results as CSV")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="results as JUnit's XML")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="make labels, too")
    arguments.add_options(parser)
