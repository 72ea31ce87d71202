"""Whole numbers of options: within their bounds, and told what was expected."""

import argparse

import pytest
from wattle_tools.cli import main
from wattle_tools.whole_number import within


def test_a_number_within_its_bounds_is_taken() -> None:
    assert [within(1, 247)("1"), within(1, 247)("247"), within(0)("99999")] == [1, 247, 99_999]
    assert within(-5)("-5") == -5


@pytest.mark.parametrize("text", ["", "-", "x", "1.5", "0", "248", "-1", "٣", "1_0", " 1"])
def test_another_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected 1 to 247"):
        within(1, 247)(text)
    with pytest.raises(argparse.ArgumentTypeError, match="expected 300 or more"):
        within(300)(text)


@pytest.mark.parametrize(
    "words",
    [
        ["read", "/dev/null", "--unit", "0"],
        ["set", "/dev/null", "--value", "1", "--baud", "-4"],
        ["flash", "--baud", "0"],
        ["provision", "--unit", "x"],
        ["provision", "--interval-ms", "-1"],
        ["provision", "--reversed", "x"],
    ],
)
def test_options_that_count_say_what_they_expect(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words)
    assert raised.value.code == 2
    assert ", expected " in capsys.readouterr().err
