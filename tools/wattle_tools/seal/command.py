"""What `wattle-tool seal` does: it prepares, and burns nothing."""

import argparse
import hashlib
import json
import secrets
import sys

from wattle_tools import dry_run, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.boards import command as boards_command
from wattle_tools.errors import DONE, SealError, UnfitBoardError
from wattle_tools.seal import steps

STEPS_FILE = "steps.txt"


def run(options: argparse.Namespace) -> int:
    """Prepares the steps of one board; the exit code. Raises ToolError."""
    board = boards_command.one(options)
    if board.mac is None:
        raise board.trouble or UnfitBoardError("it does not say which MAC it has", "plug it again")
    chip = steps.chip_of(board.chip)
    if chip is None:
        raise SealError(
            f"no steps are known for {board.chip or 'its chip'}",
            f"they are for {', '.join(steps.STEPS)}",
        )
    if options.output.exists():
        raise SealError(
            f"{options.output} is there already, perhaps with a key that is in use",
            "name a new folder",
        )
    if options.dry_run:
        would = [f"write {options.output / name}" for name in (steps.KEY_FILE, STEPS_FILE)]
        would.append("burn nothing: that is left to whoever reads the steps")
        return dry_run.tell(options.json, would, {"mac": board.name, "chip": chip, "burnt": False})
    if (options.confirm or "").lower().replace(":", "") != board.mac.hex():
        raise SealError(
            "eFuses are burnt for good, and the steps have not been run on silicon",
            f"if you want them for {board.name} all the same, add --confirm {board.name}",
        )
    journal = audit_command.journal(options)
    text = steps.written(chip, board.name)
    facts = {"chip": chip, "steps_sha256": hashlib.sha256(text.encode()).hexdigest()}
    with audit_command.begun(journal, "seal", board.name, facts):
        key = secrets.token_bytes(steps.KEY_BYTES)
        tool_home.write(options.output / steps.KEY_FILE, key, private=True)
        tool_home.write(options.output / STEPS_FILE, text.encode())
    journal.append("seal", "prepared", board.name, facts)
    if options.json:
        told = {"mac": board.name, "steps": str(options.output / STEPS_FILE), "burnt": False}
        print(json.dumps({**told, **facts}, indent=1))
        return DONE
    print(f"{options.output / STEPS_FILE}: read it to its end before the first step")
    print("nothing was burnt; these steps have not been run on silicon", file=sys.stderr)
    return DONE
