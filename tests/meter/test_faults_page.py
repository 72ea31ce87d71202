"""firmware/FAULTS.md names every fault that a bench must make, and only tests that there are."""

import importlib.util
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "firmware" / "FAULTS.md").read_text()

# What users of such meters have met, on the serial line and on the network.
FAULTS = (
    "no reply",
    "reply after the time-out",
    "wrong check sum",
    "truncated frame",
    "two frames merged",
    "frame split",
    "wrong unit id",
    "wrong function",
    "exception 1, 2, 3, 4, 6, 11",
    "echo, extra bytes",
    "noise before the frame",
    "foreign master",
    "broadcast",
    "parity or framing error",
    "break",
    "baud mismatch",
    "swapped word order",
    "register gap",
    "NaN, infinity",
    "counter rollover",
    "counter decrease",
    "frozen value",
    "clock drift",
    "clock jump",
    "clock not set at boot",
    "power cut",
    "flash full",
    "Wi-Fi loss",
    "access point changes",
    "name not found",
    "broker gone",
    "login refused",
    "expired certificate",
    "half-open connection",
    "PUBACK lost",
    "PUBACK twice",
)


def rows() -> dict[str, str]:
    """The tables: fault -> what shows it."""
    found = re.findall(r"^\| ([^|]+?) \| [^|]+ \| ([^|]+?) \|$", PAGE, re.MULTILINE)
    return {fault: shown for fault, shown in found if fault != "fault"}


def serial_rows() -> set[str]:
    """The rows of the serial matrix."""
    path = Path(__file__).with_name("test_serial_faults.py")
    spec = importlib.util.spec_from_file_location("serial_faults_of_the_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.ROWS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_row(fault: str) -> None:
    assert [row for row in rows() if row.startswith(fault)], fault


def test_every_row_is_shown_by_tests_that_there_are() -> None:
    defined = set()
    for path in TESTS.rglob("*.py"):
        text = path.read_text()
        defined |= set(re.findall(r"^\s*def (test_\w+)", text, re.MULTILINE))
        defined |= set(re.findall(r"^(test_\w+) = case\(", text, re.MULTILINE))
    matrix = serial_rows()
    assert len(rows()) >= len(FAULTS)
    for fault, shown in rows().items():
        named = re.findall(r"`(test_\w+)`", shown)
        lines = re.findall(r"row `([^`]+)`", shown)
        assert named or lines, fault
        assert [name for name in named if name not in defined] == [], fault
        assert [line for line in lines if line not in matrix] == [], fault


def test_every_row_of_the_serial_matrix_is_on_the_page() -> None:
    assert serial_rows() <= set(re.findall(r"row `([^`]+)`", PAGE))
