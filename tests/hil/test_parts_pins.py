"""Pins: what is read is what was written, and only newer versions stand in for a pinned one."""

from pathlib import Path

import pytest
from wattle_hil.parts import pins
from wattle_hil.parts.architecture import FAMILIES
from wattle_hil.parts.archive import SOURCE, Package
from wattle_hil.parts.errors import PartError

PIN = Package("libc6", "amd64", "2.41-12+deb13u4", "aa" * 32)
OLDER = Package("libc6", "amd64", "2.41-12+deb13u3", "bb" * 32)
NEWER = Package("libc6", "amd64", "2.41-12+deb13u10", "cc" * 32)


def test_the_shipped_pins_are_whole() -> None:
    pinned = pins.read()
    names = [arch.name for family in FAMILIES.values() for arch in family]
    assert [*pinned] == [*names, SOURCE]
    for architecture, packages in pinned.items():
        for package in packages.values():
            assert package.architecture == architecture
            assert len(bytes.fromhex(package.sha256)) == 32


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    packages = [
        Package(name, architecture, "1:2.3~rc1+ds-1", "ab" * 32)
        for architecture in ("amd64", "i386")
        for name in pins.PACKAGES
    ]
    packages.append(Package("micropython", SOURCE, "1.25.0+ds-1", "cd" * 32))
    pins.write(packages, tmp_path / "pins.toml")
    read = pins.read(tmp_path / "pins.toml")
    assert [package for group in read.values() for package in group.values()] == packages


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[amd64]\n",
        "amd64 = 1\n",
        "[amd64.micropython]\nversion = '1'\n",
        "not toml",
        "[source.libc6]\nversion = '1'\nsha256 = ''\n",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pins.toml"
    file.write_text(text)
    if text:
        with pytest.raises(PartError, match="make pins"):
            pins.read(file)
    else:
        assert pins.read(file) == {}


def test_the_pinned_version_is_taken_before_a_newer_one() -> None:
    assert pins.choose(PIN, [NEWER, PIN, OLDER]) == PIN


def test_a_newer_version_stands_in() -> None:
    assert pins.choose(PIN, [NEWER, OLDER]) == NEWER


@pytest.mark.parametrize("offers", [[OLDER], []])
def test_an_older_version_or_none_is_refused(offers: list[Package]) -> None:
    with pytest.raises(PartError, match=r"for the pinned libc6:amd64 2\.41"):
        pins.choose(PIN, offers)


def test_the_pinned_version_with_other_content_is_refused() -> None:
    other = Package(PIN.name, PIN.architecture, PIN.version, "dd" * 32)
    with pytest.raises(PartError, match="SHA-256 dddd"):
        pins.choose(PIN, [NEWER, other])
