"""`wattle-tool audit`: verifies the record of what was done, and exports it."""

import argparse
import contextlib
import csv
import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from wattle_tools import dry_run, tool_home
from wattle_tools.audit import log
from wattle_tools.audit.log import AuditLog, Entry
from wattle_tools.errors import DONE, AuditError, ToolError, ToolHomeError

# The beginning of a reason says what it was; a line of the record has its limit.
REASON_CHARS_MAX = 400
_COLUMNS = ("n", "time", "who", "tool", "action", "mac", "result", "facts", "digest")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `audit` to the commands of wattle-tool."""
    parser = commands.add_parser("audit", help="verify and export the record of what was done")
    parser.add_argument("file", type=Path, nargs="?", help="a record (default: this tool's own)")
    parser.add_argument("--key", type=_hex(32), metavar="HEX", help="whose record it must be")
    parser.add_argument(
        "--head", type=_hex(32), metavar="HEX", help="a last line that was noted: it must be there"
    )
    parser.add_argument("--action", help="show entries of this action only")
    parser.add_argument("--mac", help="show entries of this board only")
    parser.add_argument(
        "--format", choices=("text", "csv", "json"), default="text", help="default: text"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    dry_run.add_argument(parser)
    parser.set_defaults(run=run)


def journal(options: argparse.Namespace) -> AuditLog:
    """The record that the actions of a run are added to. Raises AuditError if that cannot be.

    A dry run adds nothing: its record is not even begun.
    """
    home = tool_home.find(options.home, os.environ)
    who = options.who or os.environ.get("WATTLE_TECHNICIAN") or _user()
    made = AuditLog(home, who, lambda: datetime.now(UTC))
    if not getattr(options, "dry_run", False):
        made.check()
    return made


@contextlib.contextmanager
def begun(
    made: AuditLog, action: str, mac: str = "", facts: Mapping[str, object] | None = None
) -> Iterator[None]:
    """Inside it an action runs: that it begins is recorded, and with its reason that it failed,
    which it goes on to do. What came of it otherwise is the caller's to add.
    """
    made.begin(action, mac, facts)
    try:
        yield
    except (ToolError, KeyboardInterrupt) as error:
        told = {**(facts or {}), "reason": (str(error) or "interrupted")[:REASON_CHARS_MAX]}
        made.append(action, log.FAILED, mac, told)
        raise


def run(options: argparse.Namespace) -> int:
    """Verifies and prints; the exit code."""
    path = options.file or tool_home.find(options.home, os.environ).audit_log
    if options.file is None and not path.exists():
        raise ToolHomeError(f"{path} is not there: nothing was recorded yet")
    entries = list(log.verified(path, options.key))
    if options.head is not None and options.head.hex() not in {row.digest for row in entries}:
        raise AuditError(
            f"{path}: {len(entries)} entries hold together, but none is {options.head.hex()}: "
            "lines were cut off at its end, or it is another record"
        )
    shown = [
        row
        for row in entries
        if options.action in (None, row.action) and options.mac in (None, row.mac)
    ]
    unended = log.unended(entries)
    if options.dry_run and options.output is not None:
        words = f"write {len(shown)} of {len(entries)} entries to {options.output}"
        return dry_run.tell(options.format == "json", [words], {"entries": len(shown)})
    if options.output is None:
        _print(shown, unended, options.format, sys.stdout)
    else:
        try:
            with options.output.open("w", encoding="utf-8", newline="") as file:
                _print(shown, unended, options.format, file)
        except OSError as error:
            raise ToolHomeError(f"{options.output}: cannot be written: {error.strerror}") from error
    last = entries[-1]
    print(
        f"{len(entries)} entries verified; key {entries[0].facts['key']}, last line {last.digest}",
        file=sys.stderr,
    )
    for row in unended:
        what = " ".join(filter(None, (row.action, row.mac)))
        print(
            f"{row.number}: {what} began at {row.time} and has no end here: it still runs, or was "
            "killed; see `wattle-tool boards`, and run it again",
            file=sys.stderr,
        )
    return DONE


def _print(entries: Sequence[Entry], unended: Sequence[Entry], form: str, output: TextIO) -> None:
    if form == "json":
        told = {
            "entries": [as_row(row) for row in entries],
            "unended": [row.number for row in unended],
        }
        print(json.dumps(told, indent=1), file=output)
    elif form == "csv":
        writer = csv.DictWriter(output, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in entries:
            writer.writerow({**as_row(row), "facts": json.dumps(row.facts)})
    else:
        for row in entries:
            facts = ", ".join(f"{name} {_short(value)}" for name, value in row.facts.items())
            words = (str(row.number), row.time, row.who, row.action, row.mac, row.result, facts)
            print("  ".join(filter(None, words)), file=output)


def as_row(entry: Entry) -> Mapping[str, object]:
    """An entry as a row of JSON or CSV."""
    return {
        "n": entry.number,
        "time": entry.time,
        "who": entry.who,
        "tool": entry.tool,
        "action": entry.action,
        "mac": entry.mac,
        "result": entry.result,
        "facts": entry.facts,
        "digest": entry.digest,
    }


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:16]}.."


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"


def _hex(size: int) -> Callable[[str], bytes]:
    def parse(text: str) -> bytes:
        if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text):
            raise argparse.ArgumentTypeError(f"{text!r}, expected {2 * size} hex digits")
        return bytes.fromhex(text)

    return parse
