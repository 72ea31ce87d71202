"""Adds the runs on MicroPython to every cases_*.py; see wattle_testkit.device_cases."""

from wattle_testkit.device_cases import pytest_collect_file

__all__ = ["pytest_collect_file"]
