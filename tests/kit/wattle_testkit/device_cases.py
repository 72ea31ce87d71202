"""The same test functions on the device's interpreter as on CPython.

A file cases_*.py holds functions test_*() with plain asserts and imports only what MicroPython
has, wattle_wire, wattle_meter, and what the test kit keeps in the device's dialect (fakes of a
board). pytest collects it as an ordinary module (CPython); the hook below adds each function once
for real MicroPython 64-bit and once for 32-bit. HEAP = "110k" at the top of such a file is the
heap of the 32-bit interpreter, whose objects have the size they have on a board.
"""

import ast
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from wattle_hil import parts

ROOT = Path(__file__).resolve().parents[3]
_RUNNER = Path(__file__).with_name("device_runner.py")
# One file's cases are plain computation; a file that takes longer hangs.
_TIMEOUT_S = 300


@dataclass(frozen=True)
class CaseResult:
    """How one function ended. output: what it printed, with the device's traceback if it failed."""

    name: str
    passed: bool
    output: str


class DeviceCaseError(AssertionError):
    """A case failed on the device's interpreter; the message is what that printed."""


def run(path: Path, bits: int, names: Sequence[str] = ()) -> dict[str, CaseResult]:
    """Runs cases of a file in one process of real MicroPython; name -> result.

    bits: 64 or 32. names: which functions; none: all of the file.
    A case without an end (crash, hang, file that cannot be imported) is a failed one.
    Raises PartMissingError when there is no such interpreter.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = names or case_names(path)
    heap = _heap(tree) if bits == 32 else None
    command = [
        parts.micropython(bits),
        *(("-X", f"heapsize={heap}") if heap else ()),
        _RUNNER,
        path.resolve(),
        *names,
    ]
    search = ":".join(
        [*(f"{ROOT}/{room}" for room in ("protocol", "firmware", "tests/kit")), ".frozen"]
    )
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"MICROPYPATH": search},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
        output, ending = done.stdout, f"the interpreter ended with exit code {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, ending = error.stdout or b"", f"no end after {_TIMEOUT_S} s"
    return results(output.decode("utf-8", "replace"), names, ending)


def results(output: str, names: Sequence[str], ending: str) -> dict[str, CaseResult]:
    """name -> result, from what `device_runner` printed; ending: how its interpreter ended."""
    found: dict[str, CaseResult] = {}
    lines: list[str] = []
    for line in output.splitlines():
        word, _, name = line.partition(" ")
        if word in ("::start", "::end"):
            lines = []
        elif word in ("::passed", "::failed"):
            found[name] = CaseResult(name, word == "::passed", "\n".join(lines))
        else:
            lines.append(line)
    for name in names:
        if name not in found:
            found[name] = CaseResult(name, False, "\n".join([*lines, f"{ending}, before its end"]))
            lines = []  # they belong to the case that was running, not to those never reached
    return found


def case_names(path: Path) -> list[str]:
    """The functions of a cases file, in its order."""
    return [name for name, _ in _cases(ast.parse(path.read_text(encoding="utf-8")))]


def _cases(tree: ast.Module) -> list[tuple[str, int]]:
    """(name, line) of each case: a function, or a name that one is assigned to."""
    cases = []
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                if name.startswith("test_"):
                    cases.append((name, node.lineno))
    return cases


def _heap(tree: ast.Module) -> str | None:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name("HEAP")], value=ast.Constant(str() as heap)):
                return heap
    return None


class DeviceCase(pytest.Item):
    """One function on one interpreter."""

    line = 0

    def runtest(self) -> None:
        """Raises DeviceCaseError with the device's traceback when the case failed there."""
        assert isinstance(self.parent, DeviceCases)
        result = self.parent.result(self.name)
        if not result.passed:
            raise DeviceCaseError(result.output)

    def repr_failure(  # type: ignore[override]  # a plain text is allowed, the base says less
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> object:
        """The device's own words; CPython's frames would only show this file."""
        if isinstance(excinfo.value, DeviceCaseError):
            assert self.parent is not None
            *_, last_line = ["no output", *str(excinfo.value).splitlines()]
            return f"{last_line} (on {self.parent.name})\n{excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the function stands: file, line from 0, title."""
        assert self.parent is not None
        return self.path, self.line, f"{self.parent.name}.{self.name}"


class DeviceCases(pytest.Collector):
    """All functions of one file on one interpreter, which runs once for those selected."""

    bits = 0
    _results: dict[str, CaseResult] | None = None

    def collect(self) -> Iterator[DeviceCase]:
        """One item a function; nothing of the file is run to find them."""
        for name, line in _cases(ast.parse(self.path.read_text(encoding="utf-8"))):
            item: DeviceCase = DeviceCase.from_parent(self, name=name)
            item.line = line - 1
            # Keeps the items of one process in one worker of a parallel run.
            item.add_marker(pytest.mark.xdist_group(f"{self.path.stem}-{self.bits}"))
            yield item

    def result(self, name: str) -> CaseResult:
        """Runs the interpreter at the first call. Skips without a 32-bit one, fails without any."""
        if self._results is None:
            names = [item.name for item in self.session.items if item.parent is self]
            try:
                self._results = run(self.path, self.bits, names)
            except parts.PartMissingError as error:
                if self.bits == 32:
                    pytest.skip(str(error))
                raise
        return self._results[name]


class DeviceFile(pytest.File):
    """A cases file as the device's interpreters see it."""

    def collect(self) -> Iterator[DeviceCases]:
        """One collector an interpreter, named micropython64 and micropython32."""
        for bits in (64, 32):
            cases: DeviceCases = DeviceCases.from_parent(self, name=f"micropython{bits}")
            cases.bits = bits
            yield cases


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> DeviceFile | None:
    """pytest hook: tests/conftest.py imports it."""
    if file_path.suffix == ".py" and file_path.name.startswith("cases_"):
        file: DeviceFile = DeviceFile.from_parent(parent, path=file_path)
        return file
    return None
