"""The runner of device cases tells passed, failed and unfinished apart, on every interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_testkit import device_cases

CASES = """
HEAP = "110k"


def test_passes():
    print("seen on the way")


def test_fails():
    print("printed before")
    assert 1 + 1 == 3, "sums are off"


def test_wants_300_kilobytes():
    assert len(bytearray(300_000)) == 300_000


def helper():
    raise AssertionError("no case")


def made(text):
    return lambda: print(text)


test_is_assigned = made("made by a function")
"""


def interpreter_or_skip(bits: int) -> None:
    try:
        parts.micropython(bits)
    except parts.PartMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(params=[64, 32])
def bits(request: pytest.FixtureRequest) -> int:
    interpreter_or_skip(request.param)
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases_planted.py"
    path.write_text(CASES, encoding="utf-8")
    return path


def test_each_case_has_its_own_result(cases: Path, bits: int) -> None:
    results = device_cases.run(cases, bits)
    assert [*results] == [
        "test_passes",
        "test_fails",
        "test_wants_300_kilobytes",
        "test_is_assigned",
    ]
    assert results["test_is_assigned"].output == "made by a function"
    assert results["test_passes"].passed
    assert results["test_passes"].output == "seen on the way"
    failed = results["test_fails"]
    assert not failed.passed
    assert failed.output.startswith("printed before\nTraceback")
    assert f'{cases}", line 11' in failed.output
    assert failed.output.endswith("AssertionError: sums are off")


def test_heap_limit_holds_on_the_small_interpreter_only(cases: Path, bits: int) -> None:
    result = device_cases.run(cases, bits, ["test_wants_300_kilobytes"])["test_wants_300_kilobytes"]
    assert result.passed is (bits == 64)
    assert ("MemoryError" in result.output) is (bits == 32)


def test_only_the_named_case_runs(cases: Path, bits: int) -> None:
    assert [*device_cases.run(cases, bits, ["test_passes"])] == ["test_passes"]


def test_a_dead_interpreter_fails_what_it_did_not_finish(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "cases_dying.py"
    path.write_text(
        "import sys\n"
        "def test_a():\n    pass\n"
        "def test_b():\n    print('last words')\n    sys.exit(3)\n"
        "def test_c():\n    pass\n",
        encoding="utf-8",
    )
    results = device_cases.run(path, bits)
    assert [name for name, result in results.items() if result.passed] == ["test_a"]
    assert results["test_b"].output.startswith("last words\n")
    assert "exit code 3" in results["test_b"].output
    assert "exit code 3" in results["test_c"].output
    assert "last words" not in results["test_c"].output


def test_a_file_that_cannot_be_imported_fails_every_case(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "cases_importing.py"
    path.write_text("import dataclasses\ndef test_a():\n    pass\n", encoding="utf-8")
    result = device_cases.run(path, bits)["test_a"]
    assert not result.passed
    assert "no module named 'dataclasses'" in result.output


def test_pytest_shows_every_case_on_every_interpreter(cases: Path) -> None:
    interpreter_or_skip(32)
    hook = "from wattle_testkit.device_cases import pytest_collect_file\n"
    (cases.parent / "conftest.py").write_text(hook, encoding="utf-8")
    (cases.parent / "pytest.ini").write_text("[pytest]\npython_files = cases_*.py\n")
    kit = str(Path(device_cases.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", cases.name],
        cwd=cases.parent,
        env=os.environ | {"PYTHONPATH": kit},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = {
        line.split()[1]: line.split()[0]
        for line in done.stdout.splitlines()
        if line.startswith(("PASSED", "FAILED"))
    }
    assert outcomes == {
        "cases_planted.py::test_passes": "PASSED",
        "cases_planted.py::test_fails": "FAILED",
        "cases_planted.py::test_wants_300_kilobytes": "PASSED",
        "cases_planted.py::test_is_assigned": "PASSED",
        "cases_planted.py::micropython64::test_passes": "PASSED",
        "cases_planted.py::micropython64::test_fails": "FAILED",
        "cases_planted.py::micropython64::test_wants_300_kilobytes": "PASSED",
        "cases_planted.py::micropython64::test_is_assigned": "PASSED",
        "cases_planted.py::micropython32::test_passes": "PASSED",
        "cases_planted.py::micropython32::test_fails": "FAILED",
        "cases_planted.py::micropython32::test_wants_300_kilobytes": "FAILED",
        "cases_planted.py::micropython32::test_is_assigned": "PASSED",
    }
    assert "sums are off (on micropython32)" in done.stdout
