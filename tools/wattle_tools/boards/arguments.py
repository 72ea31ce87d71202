"""`wattle-tool boards`: what is plugged in."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_port_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def add_port_arguments(parser: argparse.ArgumentParser) -> None:
    """Where boards are looked for."""
    parser.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PORT",
        help="look on this line only (default: every line behind USB); may be given again",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="PORT",
        help="leave this line alone, an RS-485 adapter's for one; may be given again",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Whether the answer is for programs."""
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def mac(text: str) -> bytes:
    """A MAC of 12 hex digits, with or without colons."""
    digits = text.replace(":", "").replace("-", "")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    if len(found) != 6:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a MAC of 12 hex digits")
    return found
