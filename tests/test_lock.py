"""The locks say everything an installation needs, and nothing about where they were made."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (
    "requirements.lock",
    "firmware/stubs.lock",
    "gateway/deploy/requirements.lock",
    "gateway/deploy/requirements-archive.lock",
)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def entries(lock: str) -> list[str]:
    """One text a package: its first line and those indented below it."""
    lines = (ROOT / lock).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return re.split(r"\n(?=\S)", text)


def names(requirements: list[str]) -> set[str]:
    found = (_NAME.match(requirement) for requirement in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_one_version_and_hashes(lock: str) -> None:
    for entry in entries(lock):
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_or_host_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    for word in ("://", "index-url", "find-links", "trusted-host", " @ "):
        assert word not in text


def test_everything_that_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *project["dependency-groups"]["dev"],
    ]
    assert names(asked) <= names(entries("requirements.lock"))
    assert names(project["dependency-groups"]["stubs"]) == names(entries("firmware/stubs.lock"))
