"""Which mirror the parts are fetched from."""

from typing import cast

import pytest
from wattle_hil.parts.archive import Archive
from wattle_hil.parts.errors import PartError
from wattle_hil.parts.mirror import debian_mirrors


class _Host:
    """The part of an Archive that names the host's sources."""

    def __init__(self, *sources: tuple[str, str]) -> None:
        self._sources = list(sources)

    def sources(self) -> list[tuple[str, str]]:
        return self._sources


def _mirrors(*sources: tuple[str, str]) -> list[str]:
    return debian_mirrors(cast(Archive, _Host(*sources)))


@pytest.fixture(autouse=True)
def _no_mirror_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATTLE_DEBIAN_MIRROR", raising=False)


def test_the_hosts_own_debian_sources_are_used_once_each() -> None:
    sources = (
        ("http://a/debian", "bookworm"),
        ("http://a/debian", "trixie"),
        ("http://b", "noble"),
    )
    assert _mirrors(*sources) == ["http://a/debian"]


def test_a_mirror_that_is_named_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTLE_DEBIAN_MIRROR", "http://c/debian/")
    assert _mirrors(("http://a/debian", "bookworm")) == ["http://c/debian"]


def test_a_host_without_debian_sources_is_told_what_to_set() -> None:
    with pytest.raises(PartError, match="set WATTLE_DEBIAN_MIRROR"):
        _mirrors(("http://b/ubuntu", "noble"))
