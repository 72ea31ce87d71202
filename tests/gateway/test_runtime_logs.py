"""Log lines: text and JSON, one line each whatever a stranger wrote; the list of events holds."""

import ast
import io
import json
import re
from pathlib import Path

import pytest
from wattle_gateway.participation import answers
from wattle_gateway.runtime.logs import Log, start_logging, write_json

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ("debug", "info", "warning", "error")
LOGGED_BY = {*(f"_log.{level}" for level in LEVELS), "tell", "self._tell"}
# Events that a module chooses by a variable; all others stand as literals at their call.
CHOSEN = {
    "ingest/intake.py": {"refused"},
    "orders/actor.py": {"an order is carried out", "an order is over"},
    "participation/participant.py": {
        answers.DECLARED,
        answers.REFUSED,
        answers.LEFT,
        answers.BY_HAND,
    },
}
NASTY = 'a "b"\n\x1b[31m = c' + "z" * 500


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is logged, as on standard error."""
    text = io.StringIO()
    monkeypatch.setattr("sys.stderr", text)
    start_logging("info")
    return text


def test_text_lines_have_one_event_each(written: io.StringIO) -> None:
    Log("part").warning("something happened", count=3, what=NASTY)
    Log("part").debug("not wanted")
    (line,) = written.getvalue().splitlines()
    assert re.fullmatch(r'\S+Z warning part: something happened count=3 what="a .*\.\.\."', line)
    assert "\x1b" not in line


def test_json_lines_keep_types_and_bound_what_strangers_say(written: io.StringIO) -> None:
    write_json()
    Log("part").error("it broke", count=3, up=False, none=None, what=NASTY, by=OSError("x"))
    (line,) = written.getvalue().splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    fields = found.pop("fields")
    assert found == {"level": "error", "part": "part", "event": "it broke"}
    assert fields.pop("what") == NASTY[:197] + "..."
    assert fields == {"count": 3, "up": False, "none": None, "by": "x"}


def in_code() -> set[tuple[str, str]]:
    """(part, event) of every call of a log in the gateway."""
    package = ROOT / "gateway/wattle_gateway"
    found = set()
    for path in sorted(package.rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text()))
        calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
        parts = [call.args[0] for call in calls if ast.unparse(call.func) == "Log"]
        for part in parts:
            assert isinstance(part, ast.Constant), path
            events = set(CHOSEN.get(str(path.relative_to(package)), ()))
            for call in calls:
                if ast.unparse(call.func) in LOGGED_BY:
                    events |= literal(call.args[0])
            found |= {(str(part.value), event) for event in events}
    return found


def literal(argument: ast.expr) -> set[str]:
    return {str(argument.value)} if isinstance(argument, ast.Constant) else set()


def test_the_list_of_events_is_what_the_code_says() -> None:
    text = (ROOT / "gateway/METRICS.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (\w+) \| `([^`]+)` \|", text, re.MULTILINE)
    listed = [(part, event) for level, part, event in rows if level in LEVELS]
    assert len(listed) == len(set(listed))
    assert set(listed) == in_code()
