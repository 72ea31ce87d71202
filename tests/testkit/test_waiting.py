"""The wait ends at once when it can, in time when it must, and says what was awaited."""

import time

import pytest
from wattle_testkit.waiting import DeadlineError, until


def test_returns_the_first_true_value() -> None:
    answers = iter([None, 0, "", "here", "too late"])
    assert until(lambda: next(answers), 5, "an answer") == "here"


def test_says_what_did_not_happen_and_the_last_value() -> None:
    begin = time.monotonic()
    with pytest.raises(
        DeadlineError, match=r"not within 0\.3 s: three meters \(last value: \[\]\)"
    ):
        until(list[int], 0.05, "three meters")
    assert time.monotonic() - begin >= 0.3


def test_asks_once_even_without_time() -> None:
    assert until(lambda: True, 0, "what is already so")


def test_errors_of_the_condition_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 // 0, 5, "nothing")
