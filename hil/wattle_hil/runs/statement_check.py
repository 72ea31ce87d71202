"""Whether the statements of a run's events are what its samples say: computed anew, to the unit."""

import json
import sys
from pathlib import Path

from wattle_hil.children.processes import run
from wattle_hil.errors import RunError
from wattle_hil.report.model import Check
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.gateway_control import GatewayControl

NAME = "statements"
_CHECK_DEADLINE_S = 600.0
_EQUAL, _DIFFERENT = 0, 1


def check_statements(control: GatewayControl, folder: RunFolder) -> list[Check]:
    """Has the gateway export every event that has a statement, and runs the independent check over
    them and the samples that were exported before, as a program of its own. Nothing for a ledger
    without such events. Raises ProcessError, RunError."""
    listed = control.attempt("dr", "events", "--format", "json")
    if listed.code != 0:
        return []  # of older rules
    events = [one["event"] for one in json.loads(listed.output) if one["version"]]
    if not events:
        return []
    paths = [_exported(control, folder, event) for event in events]
    command = (sys.executable, "-m", "wattle_hil.settlement_check", *map(str, paths))
    done = run("settlement check", (*command, "--samples", str(folder.samples)), _CHECK_DEADLINE_S)
    if done.code not in (_EQUAL, _DIFFERENT):
        return [Check(NAME, None, done.errors.strip())]
    return [Check(NAME, done.code == _EQUAL, done.output.strip())]


def _exported(control: GatewayControl, folder: RunFolder, event: str) -> Path:
    path = folder.events / f"{event}.json"
    try:
        folder.events.mkdir(exist_ok=True)
        path.write_text(control.call("dr", "event", event, "--format", "json"), encoding="utf-8")
    except OSError as error:
        raise RunError(f"the export cannot be written: {error}") from error
    return path
