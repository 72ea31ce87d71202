"""The record of what was done: what is changed in it shows, and where."""

import json
import multiprocessing
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.audit.log import AuditLog, Entry
from wattle_tools.cli import main
from wattle_tools.errors import AuditError
from wattle_tools.tool_home import ToolHome

NOW = datetime(2026, 11, 20, 22, 10, 0, 123_456, tzinfo=UTC)
MAC = "24:0a:c4:00:00:01"


def journal(folder: Path) -> AuditLog:
    return AuditLog(ToolHome(folder), "ada", lambda: NOW)


def filled(folder: Path) -> Path:
    """A record of three actions behind its beginning."""
    kept = journal(folder)
    for number in range(3):
        kept.append("flash", log.DONE, MAC, {"number": number})
    return folder / "audit.log"


def entries(path: Path) -> list[Entry]:
    return list(log.verified(path))


def test_what_was_done_stands_in_it_in_order(tmp_path: Path) -> None:
    begin, *others = entries(filled(tmp_path))
    assert (begin.number, begin.action, begin.prev) == (1, "begin", "0" * 64)
    assert [(row.number, row.action, row.facts) for row in others] == [
        (number + 2, "flash", {"number": number}) for number in range(3)
    ]
    assert {row.who for row in others} == {"ada"}
    assert others[0].time == "2026-11-20T22:10:00.123Z"
    assert [row.prev for row in others] == [row.digest for row in (begin, *others[:-1])]


def test_a_line_verifies_by_what_the_format_says(tmp_path: Path) -> None:
    first, second = filled(tmp_path).read_bytes().splitlines()[:2]
    public = Ed25519PublicKey.from_public_bytes(
        bytes.fromhex(json.loads(first.partition(b" ")[2])["facts"]["key"])
    )
    for line in (first, second):
        signature, _, entry = line.partition(b" ")
        public.verify(bytes.fromhex(signature.decode()), b"wattle/1/audit\n" + entry)


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], lines[3]]


# (what is done to the lines, the line that is named)
TAMPERED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "changed": (lambda rows: [rows[0], rows[1].replace(b"ada", b"eve"), *rows[2:]], 2),
    "left out": (lambda rows: [rows[0], *rows[2:]], 2),
    "doubled": (lambda rows: [*rows[:2], *rows[1:]], 3),
    "swapped": (swapped, 2),
    "first gone": (lambda rows: rows[1:], 1),
    "cut off in the middle": (lambda rows: [*rows[:3], rows[3][:200]], 4),
    "garbage": (lambda rows: [*rows[:2], b"\xff\n", *rows[2:]], 3),
    "empty line": (lambda rows: [*rows[:2], b"\n", *rows[2:]], 3),
    "long line": (lambda rows: [*rows[:2], b"x" * 20_000 + b"\n", *rows[2:]], 3),
    "other signature": (lambda rows: [rows[0], rows[2][:128] + rows[1][128:], *rows[2:]], 2),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_done_to_it_is_named_by_its_line(tmp_path: Path, name: str) -> None:
    change, number = TAMPERED[name]
    path = filled(tmp_path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(AuditError, match=f"line {number}: "):
        entries(path)


def test_an_empty_file_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"")
    with pytest.raises(AuditError, match="is empty"):
        entries(path)


def test_a_whole_record_under_another_key_is_anothers(tmp_path: Path) -> None:
    ours, theirs = filled(tmp_path / "ours"), filled(tmp_path / "theirs")
    key = bytes.fromhex(str(entries(ours)[0].facts["key"]))
    assert len(list(log.verified(ours, key))) == 4
    with pytest.raises(AuditError, match="line 1: the record of key"):
        list(log.verified(theirs, key))


def test_a_line_that_a_power_cut_left_is_dropped_and_told(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with path.open("ab") as file:
        file.write(b"0123456789")
    journal(tmp_path).append("label", log.DONE)
    assert entries(path)[-1].facts == {"torn_bytes": 10}


def test_nothing_is_added_behind_a_line_that_does_not_hold(tmp_path: Path) -> None:
    path = filled(tmp_path)
    damaged = path.read_bytes()[:-3] + b"!}\n"
    path.write_bytes(damaged)
    with pytest.raises(AuditError, match="last line: its signature does not hold") as caught:
        journal(tmp_path).append("label", log.DONE)
    assert "a new --home begins a new record" in caught.value.told
    assert path.read_bytes() == damaged


def test_an_entry_that_could_not_be_read_back_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with pytest.raises(AuditError, match="expected fewer than"):
        journal(tmp_path).append("label", log.DONE, facts={"text": "x" * 20_000})
    assert len(entries(path)) == 4


def _append_ten(folder: str) -> None:
    for _ in range(10):
        journal(Path(folder)).append("flash", log.DONE)


def test_two_processes_add_to_one_record(tmp_path: Path) -> None:
    path = filled(tmp_path)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_ten, args=(str(tmp_path),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert len(entries(path)) == 24


def test_the_command_verifies_and_exports(
    tool_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = filled(tool_home)
    assert main(["audit"]) == 0
    said = capsys.readouterr()
    assert said.out.count("flash  " + MAC) == 3
    last = entries(path)[-1].digest
    assert f"4 entries verified; key {entries(path)[0].facts['key']}, last line {last}" in said.err
    assert main(["audit", "--json", "--action", "begin"]) == 0
    assert [row["n"] for row in json.loads(capsys.readouterr().out)["entries"]] == [1]
    exported = tmp_path / "audit.csv"
    assert main(["audit", "--format", "csv", "--output", str(exported)]) == 0
    assert len(exported.read_text().splitlines()) == 5
    # What cannot be written says nothing against the record.
    assert main(["audit", "--output", str(tmp_path / "away" / "audit.csv")]) == 1


def test_what_began_is_ended_by_the_entry_that_names_it(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    other = MAC.replace("01", "02")
    for mac in (MAC, other):
        kept.begin("flash", mac, {"image": "ab"})
    kept.append("flash", log.FAILED, other, {"reason": "gone"})
    # Of another process, which knows nothing of what that one has begun.
    journal(tmp_path).append("flash", log.DONE, MAC)
    rows = entries(tmp_path / "audit.log")
    assert [(row.number, row.result) for row in rows[1:]] == [
        (2, "begun"),
        (3, "begun"),
        (4, "failed"),
        (5, "done"),
    ]
    assert rows[3].facts == {"reason": "gone", "begun": 3}
    assert [row.number for row in log.unended(rows)] == [2]
    kept.append("flash", log.DONE, MAC)
    assert log.unended(entries(tmp_path / "audit.log")) == []


def test_a_tool_that_was_killed_in_the_middle_leaves_a_trace(
    tmp_path: Path, tool_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = "00112233aabbccdd"
    # The gateway's command kills who called it, with what nobody can catch.
    gateway = shlex.join(["sh", "-c", "kill -9 $PPID; cat"])
    words = ["retire", meter, "--confirm", meter, "--through", gateway, "--gateway-folder", "/g"]
    code = f"import sys; from wattle_tools.cli import main; sys.exit(main({words!r}))"
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert main(["audit"]) == 0
    said = capsys.readouterr()
    assert f"retire  begun  meter {meter}" in said.out
    assert "2: retire began at " in said.err
    assert "has no end here: it still runs, or was killed" in said.err
    # A filter hides entries, not what is open.
    assert main(["audit", "--action", "flash", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"entries": [], "unended": [2]}


def test_what_a_technician_interrupts_has_an_end(tool_home: Path) -> None:
    kept = journal(tool_home)
    with pytest.raises(KeyboardInterrupt), audit_command.begun(kept, "check", MAC):
        raise KeyboardInterrupt
    last = entries(tool_home / "audit.log")[-1]
    assert (last.result, last.facts) == ("failed", {"reason": "interrupted", "begun": 2})


def test_before_anything_was_done_there_is_no_record(
    tool_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit"]) == 1
    assert "nothing was recorded yet" in capsys.readouterr().err
    assert not list(tool_home.iterdir())


def test_programs_are_told_what_was_wrong(
    tool_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--port", "/dev/nowhere", "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "error": "/dev/nowhere is not there",
        "advice": "plug the board in, and run it again",
        "code": 4,
    }
    assert main(["site", "add", str(tool_home / "site.json"), "--json"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["advice"] == "let the gateway's operator give you his site.json again"
    assert said.err == f"wattle-tool: {told['error']}; {told['advice']}\n"


def test_the_command_finds_what_was_cut_off_by_a_noted_line(
    tool_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = filled(tool_home)
    noted = entries(path)[-1].digest
    assert main(["audit", "--head", noted]) == 0
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert main(["audit"]) == 0
    assert main(["audit", "--head", noted]) == 10
    assert "lines were cut off at its end" in capsys.readouterr().err


def test_nothing_is_done_that_could_not_be_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    (home / "audit.key").mkdir(parents=True)
    words = ["--home", str(home), "certificate", str(tmp_path), str(tmp_path / "tls.pem")]
    assert main(words) == 10
    assert "no key to sign the record with" in capsys.readouterr().err
