"""What `wattle-tool label` does."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wattle_wire import topics

from wattle_tools import dry_run, proof, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.audit.log import AuditLog
from wattle_tools.boards import command as boards_command
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.errors import DONE, BoardError, LabelError, UnfitBoardError, reason_of
from wattle_tools.flash import fleet
from wattle_tools.label import drawing
from wattle_tools.label.drawing import Label
from wattle_tools.mpremote_prints import set_aside
from wattle_tools.proof import Proof

PDF = "labels.pdf"
_FILE_BYTES_MAX = 16_384


def run(options: argparse.Namespace) -> int:
    """Writes the labels; the exit code."""
    journal = audit_command.journal(options)
    labels = [of_file(path) for path in options.file]
    if not labels:
        with set_aside():
            found = fleet.find(boards_command.chosen_ports(options))
            boards = fleet.choose(found, options.mac, options.all)
        labels = [of_board(board) for board in boards]
    if options.dry_run:
        files = [f"{label.meter}.png" for label in labels]
        would = [f"write {options.output / name}" for name in [*files, PDF]]
        return dry_run.tell(options.json, would, {"meters": [label.meter for label in labels]})
    write(labels, options.output, journal)
    if options.json:
        meters = [label.meter for label in labels]
        print(json.dumps({"pdf": str(options.output / PDF), "meters": meters}, indent=1))
        return DONE
    print(
        f"{options.output / PDF}: {len(labels)} labels of {drawing.WIDTH_MM} x "
        f"{drawing.HEIGHT_MM} mm, and a PNG of each beside it"
    )
    return DONE


def write(labels: Sequence[Label], folder: Path, journal: AuditLog) -> None:
    """Puts a PNG of each label and a PDF of all into `folder`. Raises ToolHomeError, AuditError."""
    for label in labels:
        tool_home.write(folder / f"{label.meter}.png", drawing.png(label))
    tool_home.write(folder / PDF, drawing.pdf(labels, datetime.now(UTC)))
    for label in labels:
        facts = {"meter": label.meter, "key_sha256": label.key_sha256, "site": label.site}
        journal.append("label", log.DONE, label.mac.hex(":"), facts)


def of_file(path: Path) -> Label:
    """The label of the meter in an enrolment file, whose proof is verified. Raises LabelError,
    ToolHomeError."""
    data = tool_home.read(path, _FILE_BYTES_MAX)
    try:
        row = json.loads(data)
        ledger_id, site = bytes.fromhex(row["ledger_id"]), str(row["site"])
        return of_proof(proof.parse(bytes.fromhex(row["proof"]), ledger_id, str(path)), site)
    except (ValueError, KeyError, TypeError, AttributeError, BoardError) as error:
        raise LabelError(
            f"{path} is no enrolment file: {reason_of(error)}",
            "take one that `wattle-tool provision` wrote",
        ) from error


def of_proof(found: Proof, site: str) -> Label:
    """The label of a meter at `site`. Raises LabelError for what cannot be printed."""
    if not (site.isascii() and site.isprintable() and len(site) <= topics.SITE_CHARS_MAX):
        raise LabelError(f"site {site[:40]!r}", "expected its name: a-z, 0-9 and -")
    mac = found.eui64[:3] + found.eui64[5:]
    key = hashlib.sha256(found.signing_public).hexdigest()
    return Label(found.meter, mac, key, site)


def of_board(board: FoundBoard) -> Label:
    """The label of a provisioned board. Raises UnfitBoardError, and why it does not answer."""
    if board.contents is None or board.mac is None:
        raise board.trouble or UnfitBoardError(f"{board.name} does not answer", "plug it in again")
    record = board.contents.record
    if record is None:
        raise UnfitBoardError(f"{board.name} is no meter yet", "provision it first")
    return Label(record.meter, board.mac, record.key_sha256, record.site)
