"""Small programs of modules, as they are and linked, for tests of the linker."""

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from wattle_tools.image.linker import link


def sources(folder: Path, modules: Mapping[str, str]) -> list[link.Source]:
    """Writes modules, by name, to a folder."""
    found = []
    for name, text in modules.items():
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        found.append(link.Source(name, path))
    return found


def linked(folder: Path, **modules: str) -> link.Linked:
    """The program that main() of the module `start` is."""
    return link.link(sources(folder, modules), "start")


def said(folder: Path, module: str) -> str:
    """What main() of a module in a folder prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}; {module}.main()"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def same(folder: Path, **modules: str) -> str:
    """The source of a linked program that says what its modules say."""
    program = linked(folder, **modules)
    (folder / "linked").mkdir()
    (folder / "linked" / "wattle.py").write_text(program.source)
    expected = said(folder, "start")
    assert expected
    assert said(folder / "linked", "wattle") == expected
    return program.source
