"""Adds the runs on MicroPython to every cases_*.py; see wattle_testkit.device_cases. No property
has to be shown within a time: that would depend on the machine."""

import logging
import os
from collections.abc import Iterator
from zlib import crc32

import pytest
from hypothesis import settings
from wattle_testkit.device_cases import pytest_collect_file
from wattle_testkit.linked_once import linked_once

__all__ = ["pytest_collect_file", "pytest_collection_modifyitems"]

settings.register_profile("wattle", deadline=None)
settings.load_profile("wattle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, and modules that compute among modules that wait for processes: in the
    order of folders, cores idle for minutes and are short of time in others."""
    items.sort(key=_place)


@pytest.fixture(scope="session", autouse=True)
def programs_linked_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Workers of a parallel run have folders side by side, and one for all in that above."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "linked"
    shared.mkdir(exist_ok=True)
    with linked_once(shared):
        yield


@pytest.fixture(autouse=True)
def log_given_back() -> Iterator[None]:
    """Whoever runs a gateway's command in this process turns the package's log on, towards an
    output that ends with the test."""
    log = logging.getLogger("wattle_gateway")
    handlers, propagate, level = log.handlers, log.propagate, log.level
    yield
    log.handlers, log.propagate = handlers, propagate
    log.setLevel(level)


def _place(item: pytest.Item) -> tuple[bool, int]:
    return item.get_closest_marker("slow") is None, crc32(str(item.path.name).encode())
