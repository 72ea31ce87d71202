"""Adds the runs on MicroPython to every cases_*.py; see wattle_testkit.device_cases. No property
has to be shown within a time: that would depend on the machine."""

from zlib import crc32

import pytest
from hypothesis import settings
from wattle_testkit.device_cases import pytest_collect_file

__all__ = ["pytest_collect_file", "pytest_collection_modifyitems"]

settings.register_profile("wattle", deadline=None)
settings.load_profile("wattle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, and modules that compute among modules that wait for processes: in the
    order of folders, cores idle for minutes and are short of time in others."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, int]:
    return item.get_closest_marker("slow") is None, crc32(str(item.path.name).encode())
