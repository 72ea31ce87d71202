"""Adds the runs on MicroPython to every cases_*.py; see wattle_testkit.device_cases. No property
has to be shown within a time: that would depend on the machine."""

from hypothesis import settings
from wattle_testkit.device_cases import pytest_collect_file

__all__ = ["pytest_collect_file"]

settings.register_profile("wattle", deadline=None)
settings.load_profile("wattle")
