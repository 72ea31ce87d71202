"""The tree is as the house rules say; each rule is tried on a small planted violation first."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from wattle_testkit import tidy_code, tidy_modules, tidy_text
from wattle_testkit.source_tree import Finding, SourceTree

# In one worker of a parallel run: each would parse the whole tree.
pytestmark = pytest.mark.xdist_group("tidy")

ROOT = Path(__file__).resolve().parents[1]
Rule = Callable[[SourceTree], Iterator[Finding]]

# What was too long when its rule came, with its length then. It may shrink; nothing is added.
LONG_FILES: Mapping[str, int] = {}
LONG_FUNCTIONS: Mapping[str, int] = {}

RULES: Mapping[str, Rule] = {
    "top_level_names": tidy_text.top_level_names,
    "one_package_a_room": tidy_text.one_package_a_room,
    "telling_names": tidy_text.telling_names,
    "unique_test_files": tidy_text.unique_test_files,
    "no_leftovers": tidy_text.no_leftovers,
    "no_machine_paths": tidy_text.no_machine_paths,
    "unix_line_ends": tidy_text.unix_line_ends,
    "short_lines": tidy_text.short_lines,
    "no_banned_calls": tidy_code.no_banned_calls,
    "named_exceptions": tidy_code.named_exceptions,
    "no_stubs": tidy_code.no_stubs,
    "pure_packages": tidy_code.pure_packages,
    "no_dead_modules": tidy_modules.no_dead_modules,
    "file_lengths": partial(tidy_code.file_lengths, known=LONG_FILES),
    "function_lengths": partial(tidy_code.function_lengths, known=LONG_FUNCTIONS),
}


@pytest.fixture(scope="module")
def checkout() -> SourceTree:
    tree = SourceTree(ROOT)
    tree.parse()
    return tree


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_is_tidy(checkout: SourceTree, rule: str) -> None:
    findings = sorted(RULES[rule](checkout))
    assert not findings, "\n" + "\n".join(str(finding) for finding in findings)


def planted(root: Path, files: Mapping[str, str]) -> SourceTree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return SourceTree(root)


# (rule, path, content, what the finding says; None: nothing to find)
PLANTED = [
    ("top_level_names", "docs/intro.md", "", "docs/ is no room"),
    ("top_level_names", "notes.txt", "", "does not belong on top"),
    ("top_level_names", "gateway/DECISIONS.md", "", None),
    ("top_level_names", ".ci/run", "", None),
    ("top_level_names", "build/anything", "", None),
    ("one_package_a_room", "hil/__init__.py", "", "is a room, not a package"),
    ("one_package_a_room", "hil/bench/__init__.py", "", "a second package in hil/"),
    ("one_package_a_room", "hil/wattle_hil/__init__.py", "", None),
    ("telling_names", "hil/wattle_hil/utils.py", "", "'utils' says nothing"),
    ("telling_names", "hil/wattle_hil/common/curve.py", "", "'common' says nothing"),
    ("telling_names", "hil/wattle_hil/communication.py", "", None),
    ("no_leftovers", "README.md", "\n# FIX" + "ME: later\n", "leftover FIX" + "ME"),
    ("no_leftovers", "tools/a.py", "x = 1  # TO" + "DO(me) later\n", "leftover TO" + "DO"),
    ("no_leftovers", "tools/a.py", "todos = 1\n", None),
    ("no_machine_paths", "hil/a.toml", 'x = "' + "/home" + '/me/x"\n', "path of one machine"),
    ("no_machine_paths", "hil/a.py", "# see " + "/work" + "/x\n", "path of one machine"),
    ("no_machine_paths", "hil/a.md", "https://host/at/home/x and net/work/x\n", None),
    ("unix_line_ends", "hil/a.py", "x = 1\r\n", "carriage returns"),
    ("unix_line_ends", "hil/a.py", "x = 1", "does not end with a line end"),
    ("unix_line_ends", "hil/a.py", "", None),
    ("short_lines", "hil/a.py", "#" * 101 + "\n", "101 columns"),
    ("short_lines", ".ci/run", "#" * 101 + "\n", "101 columns"),
    ("short_lines", "hil/a.md", "#" * 101 + "\n", None),
    ("short_lines", "hil/a.py", "#" * 100 + "\n", None),
    ("no_banned_calls", "tests/hil/a.py", "import time\ntime.sleep(1)\n", "waiting.until"),
    ("no_banned_calls", "tests/a.py", "from time import sleep as s\ns(1)\n", "waiting.until"),
    ("no_banned_calls", "hil/wattle_hil/a.py", "import time\ntime.sleep(1)\n", None),
    ("no_banned_calls", "tests/a.py", "import asyncio\nasyncio.sleep(0.5)\n", "await what"),
    ("no_banned_calls", "tests/a.py", "import asyncio\nasyncio.sleep(0)\n", None),
    ("no_banned_calls", "gateway/wattle_gateway/store/a.py", "print(1)\n", "or log it"),
    ("no_banned_calls", "gateway/wattle_gateway/cli/a.py", "print(1)\n", None),
    ("no_banned_calls", "hil/wattle_hil/a.py", "print(1)\n", None),
    ("no_banned_calls", "hil/a.py", "import random\nrandom.choice([1])\n", "seeded"),
    ("no_banned_calls", "hil/a.py", "import random\nrandom.Random(1).choice([1])\n", None),
    ("no_banned_calls", "hil/a.py", "def f(random):\n    return random.choice([1])\n", None),
    ("no_banned_calls", "hil/a.py", "import subprocess as s\ns.run('a', shell=True)\n", "no shell"),
    ("no_banned_calls", "hil/a.py", "eval('1')\n", "parse the text"),
    (
        "no_banned_calls",
        "gateway/wattle_gateway/contracts/a.py",
        "from datetime import datetime\ndatetime.now()\n",
        "get clock and I/O",
    ),
    ("named_exceptions", "hil/a.py", "try:\n    f()\nexcept:\n    pass\n", "bare except"),
    ("named_exceptions", "hil/a.py", "try:\n    f()\nexcept OSError:\n    pass\n", None),
    ("no_stubs", "hil/a.py", "def f():\n    raise NotImplementedError\n", "a stub"),
    ("no_stubs", "hil/a.py", "class A:\n def f(self):\n  raise NotImplementedError\n", "a stub"),
    (
        "no_stubs",
        "hil/a.py",
        "class A:\n def f(self):\n  raise NotImplementedError()\nclass B(A):\n pass\n",
        None,
    ),
    ("pure_packages", "protocol/wattle_wire/a.py", "import json\n", "the wire may import"),
    ("pure_packages", "protocol/wattle_wire/a.py", "def f():\n    import os.path\n", "imports os"),
    (
        "pure_packages",
        "protocol/wattle_wire/a.py",
        "import struct\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n    import typing\n",
        None,
    ),
    (
        "pure_packages",
        "gateway/wattle_gateway/ledger/a.py",
        "class A:\n    def f(self):\n        from time import monotonic\n",
        "imports time",
    ),
    ("pure_packages", "gateway/wattle_gateway/ledger/a.py", "import json\n", None),
    ("pure_packages", "gateway/wattle_gateway/ledger/a.py", "from .time import grid\n", None),
    ("pure_packages", "gateway/wattle_gateway/store/a.py", "import os\n", None),
    ("file_lengths", "hil/a.py", "\n" * 401, "401 lines, allowed are 400"),
    ("file_lengths", "hil/a.py", "\n" * 400, None),
    ("function_lengths", "hil/a.py", "def f():\n" + " x = 1\n" * 70, "71 lines, allowed are 70"),
    ("function_lengths", "hil/a.py", "async def f():\n" + " x = 1\n" * 69, None),
]


@pytest.mark.parametrize(("rule", "path", "content", "expected"), PLANTED)
def test_a_rule_finds_what_is_planted(
    tmp_path: Path, rule: str, path: str, content: str, expected: str | None
) -> None:
    findings = list(RULES[rule](planted(tmp_path, {path: content})))
    if expected is None:
        assert findings == []
    else:
        (finding,) = findings
        assert str(finding.path) == path
        assert expected in str(finding)


def test_every_rule_is_tried() -> None:
    tried_apart = {"unique_test_files", "no_dead_modules"}
    assert {row[0] for row in PLANTED} | tried_apart == RULES.keys()


def test_a_finding_names_its_line(tmp_path: Path) -> None:
    tree = planted(tmp_path, {"hil/a.py": "\n\nimport time\neval('1')\n"})
    assert [str(finding) for finding in tidy_code.no_banned_calls(tree)] == [
        "hil/a.py:4: eval(): parse the text"
    ]


def test_two_test_files_of_one_name_are_found(tmp_path: Path) -> None:
    tree = planted(tmp_path, {"tests/hil/test_a.py": "", "tests/wire/test_a.py": ""})
    (finding,) = tidy_text.unique_test_files(tree)
    assert str(finding) == "tests/wire/test_a.py: has the name of tests/hil/test_a.py"


def test_what_was_too_long_may_only_shrink(tmp_path: Path) -> None:
    tree = planted(tmp_path, {"hil/a.py": "def f():\n" + " x = 1\n" * 80})
    exactly = {"hil/a.py:f": 81}
    assert list(tidy_code.function_lengths(tree, exactly)) == []
    (grown,) = tidy_code.function_lengths(tree, {"hil/a.py:f": 80})
    assert "81 lines, allowed are 80" in str(grown)
    (shrunk,) = tidy_code.function_lengths(tree, {"hil/a.py:f": 90})
    assert "lower its entry from 90" in str(shrunk)
    (gone,) = tidy_code.function_lengths(tree, {**exactly, "hil/b.py:g": 90})
    assert "hil/b.py:g is gone" in str(gone)


COMMANDS = '[project.scripts]\nwattle-hil = "wattle_hil.cli:main"\n'


def dead_modules(root: Path, files: Mapping[str, str]) -> set[str]:
    findings = tidy_modules.no_dead_modules(planted(root, files))
    return {finding.path.stem for finding in findings}


def test_modules_that_nothing_running_reaches_are_found(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": COMMANDS,
        "Makefile": "bench:\n\tpython -m wattle_hil.bench\n",
        "firmware/main.py": "from wattle_meter import app\n",
        "firmware/wattle_meter/app.py": "from wattle_wire import cbor\n",
        "protocol/wattle_wire/cbor.py": "x = 1\n",
        "protocol/wattle_wire/orphan.py": "from wattle_wire import cbor\n",
        "hil/wattle_hil/__init__.py": "",
        "hil/wattle_hil/cli.py": "def main():\n    from wattle_hil.curve import read\n",
        "hil/wattle_hil/curve.py": "import wattle_hil.numbers as n\n",
        "hil/wattle_hil/numbers.py": "x = 'wattle_hil.child'\n",
        "hil/wattle_hil/child.py": "x = 1\n",
        "hil/wattle_hil/check/__main__.py": "from . import sums\n",
        "hil/wattle_hil/check/sums.py": "from ..shared import y\nfrom .rows import z\n",
        "hil/wattle_hil/check/rows.py": "z = 1\n",
        "hil/wattle_hil/shared.py": "y = 1\n",
        "hil/wattle_hil/bench.py": "x = 1\n",
        "hil/wattle_hil/mentioned.py": "'''See wattle_hil.mentioned.'''\n",
        "hil/wattle_hil/old.py": "import wattle_hil.older\n",
        "hil/wattle_hil/older.py": "import wattle_hil.old\n",
        "hil/wattle_hil/tested.py": "x = 1\n",
        "tests/hil/test_it.py": "import wattle_hil.tested\n",
    }
    assert dead_modules(tmp_path, files) == {"orphan", "mentioned", "old", "older", "tested"}


def test_relative_imports_are_followed(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": COMMANDS,
        "hil/wattle_hil/cli.py": "from wattle_hil import check\n",
        "hil/wattle_hil/check/__init__.py": "from .point import x\n",
        "hil/wattle_hil/check/point.py": "from . import rules\nfrom ..curve import x\n",
        "hil/wattle_hil/check/rules.py": "x = 1\n",
        "hil/wattle_hil/check/orphan.py": "x = 1\n",
        "hil/wattle_hil/curve.py": "x = 1\n",
    }
    assert dead_modules(tmp_path, files) == {"orphan"}


def test_a_package_without_its_command_counts_as_used(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": COMMANDS,
        "hil/wattle_hil/curve.py": "x = 1\n",
        "firmware/wattle_meter/outbox.py": "x = 1\n",
        "tools/wattle_tools/label.py": "x = 1\n",
    }
    assert dead_modules(tmp_path, files) == {"label"}
