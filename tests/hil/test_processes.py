"""Processes of a run: started, killed, ended, and gone when the bench is gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_hil.children.deadline import Deadline
from wattle_hil.children.processes import Process, ProcessGroup, run
from wattle_hil.errors import DeadlineError, ProcessError
from wattle_testkit.waiting import until

DEADLINE_S = 10.0
# Says when it is ready, so that a signal cannot come before its handler.
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True)"
BENCH = """
import sys
from pathlib import Path
from wattle_hil.children.processes import Process
sleeper = Process("sleeper", ("/bin/sleep", "600"), Path(sys.argv[1]))
sleeper.start()
print(sleeper.pid, flush=True)
sys.stdin.read()
"""


def python(folder: Path, code: str, name: str = "worker") -> Process:
    return Process(name, (sys.executable, "-c", code), folder / f"{name}.log")


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_process_that_ends_of_itself_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    process = python(tmp_path, "import sys; print('out of paper'); sys.exit(3)")
    with ProcessGroup() as group:
        group.start(process)
        until(lambda: not process.alive, DEADLINE_S, "the process ends")
        with pytest.raises(ProcessError, match=r"worker ended with exit code 3:\n +out of paper"):
            group.check()


def test_a_killed_process_can_be_started_again(tmp_path: Path) -> None:
    process = python(tmp_path, "import time; time.sleep(600)")
    with ProcessGroup() as group:
        group.start(process)
        first = process.pid
        process.kill()
        assert not process.alive
        with pytest.raises(ProcessError, match="signal SIGKILL"):
            process.check()
        process.start()
        assert process.pid != first
        assert process.starts == 2
        second = process.pid
    assert is_gone(first)
    assert is_gone(second)


def test_stopping_waits_for_the_end(tmp_path: Path) -> None:
    process = python(tmp_path, "import time; time.sleep(600)")
    process.start()
    pid = process.pid
    process.stop(DEADLINE_S)
    assert is_gone(pid)
    process.stop(DEADLINE_S)


def test_what_does_not_stop_is_killed_and_named(tmp_path: Path) -> None:
    process = python(tmp_path, f"{STUBBORN}; time.sleep(600)")
    process.start()
    pid = process.pid
    until(lambda: "on" in process.log.read_text(), DEADLINE_S, "it ignores SIGTERM")
    with pytest.raises(ProcessError, match=r"worker did not end within 0\.1 s"):
        process.stop(0.1)
    assert is_gone(pid)


def test_its_children_are_known_and_end_with_it(tmp_path: Path) -> None:
    process = python(
        tmp_path, "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
    )
    process.start()
    (child,) = until(process.children, DEADLINE_S, "the child runs")
    process.stop(DEADLINE_S)
    until(lambda: is_gone(child), DEADLINE_S, "the child is gone")


def test_nothing_outlives_a_bench_that_was_killed(tmp_path: Path) -> None:
    bench = subprocess.Popen(
        [sys.executable, "-c", BENCH, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert bench.stdout is not None
    pid = int(bench.stdout.readline())
    assert not is_gone(pid)
    os.kill(bench.pid, signal.SIGKILL)
    bench.communicate()
    until(lambda: is_gone(pid), DEADLINE_S, "the process died with the bench")


def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    process = Process("ghost", (str(tmp_path / "ghost"),), tmp_path / "log")
    with pytest.raises(ProcessError, match="is no program"):
        process.start()


def test_a_program_runs_to_its_end() -> None:
    assert run("echo", ("/bin/echo", "hello"), DEADLINE_S).expect_success() == "hello\n"
    failed = run("false", ("/bin/sh", "-c", "echo why >&2; exit 4"), DEADLINE_S)
    assert failed.code == 4
    with pytest.raises(ProcessError, match="false ended with exit code 4: why"):
        failed.expect_success()
    with pytest.raises(ProcessError, match="did not end within"):
        run("sleep", ("/bin/sleep", "600"), 0.1)


def test_a_deadline_asks_until_it_has_passed() -> None:
    answers = iter([0, 0, 7])
    assert Deadline(DEADLINE_S).wait_for(lambda: next(answers), "an answer") == 7
    with pytest.raises(DeadlineError, match=r"not within 0.05 s: never"):
        Deadline(0.05).wait_for(lambda: None, "never")
