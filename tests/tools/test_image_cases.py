"""The device's own test cases, linked with the firmware as a board's program is, on MicroPython.

What the linker does to names, constants and classes of the firmware is right if its test cases
still pass after the linker has done the same to them.
"""

import ast
import os
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

from wattle_hil import parts
from wattle_testkit import device_cases
from wattle_tools.image import compiler
from wattle_tools.image.linker import link

ROOT = Path(__file__).parents[2]
ROOMS = (ROOT / "protocol", ROOT / "firmware", ROOT / "tests" / "kit")
DEADLINE_S = 300
# Cases that put modules of their own in the place of MicroPython's, by name: nothing to link.
FAKE_MODULES = ("sys.modules", "chip_fakes")
# Half the time of all cases: they try one thing in thousands of ways, where a few hundred cases
# show what was linked.
LONG = (
    "test_a_read_ends_in_time_whatever_the_line_does",
    "test_babbling_line_is_given_up",
    "test_every_truncation_and_every_flipped_byte_is_refused_or_another_sample",
    "test_what_a_full_outbox_overwrites_is_declared",
    "test_a_cut_during_the_rotation_of_segments",
)
CASES = [
    path
    for room in ("wire", "meter")
    for path in sorted((ROOT / "tests" / room).glob("cases_*.py"))
    if not any(word in path.read_text() for word in FAKE_MODULES)
]


def sources(program: Path) -> list[link.Source]:
    """A program that runs all cases, and every module of ours that it needs."""
    waiting = [program_of(program), *(link.Source(path.stem, path) for path in CASES)]
    found: dict[str, link.Source] = {}
    while waiting:
        source = waiting.pop()
        if source.module not in found:
            found[source.module] = source
            waiting += _needed(source.path)
    return list(found.values())


def _needed(path: Path) -> Iterator[link.Source]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ImportFrom(module=str() as module, names=names):
                wanted = [module, *(f"{module}.{alias.name}" for alias in names)]
            case ast.Import(names=names):
                wanted = [alias.name for alias in names]
            case _:
                continue
        for name in (*wanted, *(name.partition(".")[0] for name in wanted)):
            for room in ROOMS:
                file = room / f"{name.replace('.', '/')}.py"
                package = room / name / "__init__.py"
                yield from (link.Source(name, one) for one in (file, package) if one.is_file())


def names_of(cases: Path) -> list[str]:
    return [name for name in device_cases.case_names(cases) if name not in LONG]


def program_of(path: Path) -> link.Source:
    """A program that runs all cases and prints which fail."""
    calls = "\n".join(
        f"    run('{cases.stem}.{name}', {cases.stem}.{name})"
        for cases in CASES
        for name in names_of(cases)
    )
    imports = "\n".join(f"import {cases.stem}" for cases in CASES)
    path.write_text(_PROGRAM.format(imports=imports, calls=calls))
    return link.Source(path.stem, path)


_PROGRAM = textwrap.dedent("""
    import sys
    import gc
    {imports}

    def run(name, case):
        gc.collect()
        try:
            case()
        except Exception as error:
            print("failed", name)
            sys.print_exception(error, sys.stdout)
        else:
            print("passed", name)

    def main():
    {calls}
""")


def test_all_cases_pass_when_linked(tmp_path: Path) -> None:
    count = sum(len(names_of(cases)) for cases in CASES)
    program = link.link(sources(tmp_path / "all_cases.py"), "all_cases", asserts=True)
    source = tmp_path / "wattle.py"
    source.write_text(program.source)
    folder = tmp_path / "tests" / "meter"  # cases find the firmware's data from their own place
    folder.mkdir(parents=True)
    (tmp_path / "firmware").symlink_to(ROOT / "firmware")
    (folder / "wattle.mpy").write_bytes(compiler.compiled(source, optimisation=0))
    done = subprocess.run(
        [parts.micropython(64), "-X", "heapsize=16m", "-c", "import wattle; wattle.main()"],
        env=os.environ | {"MICROPYPATH": f"{folder}:.frozen"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    said = list(program.names.lines(done.stdout.splitlines()))
    failed = [line for line in said if not line.startswith("passed ")]
    assert not failed, "\n".join(failed)
    assert done.returncode == 0, done.stderr
    assert len(said) == count > 400
    assert program.source.count("assert ") > count
