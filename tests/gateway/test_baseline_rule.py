"""Rules: what they may be, and what the presets are."""

from dataclasses import asdict
from typing import Any

import pytest
from wattle_gateway.contracts.baseline.errors import RuleError
from wattle_gateway.contracts.baseline.local_days import DayTypes
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    Rule,
    Window,
)

WINDOW = Window(before_from_min=240, before_to_min=60)


def test_the_presets_are_those_of_the_programmes() -> None:
    assert list(PRESETS) == [
        "caiso-10-of-10",
        "pjm-high-4-of-5",
        "nyiso-high-5-of-10",
        "ercot-middle-8-of-10",
        "same-day-3-plus-2",
        "pjm-match-day-3",
        "control-group",
    ]
    for name, preset in PRESETS.items():
        assert preset.rule.name == name
        assert any(word in preset.source for word in ("CAISO", "PJM", "NYISO", "ERCOT"))


def test_a_rule_is_made_of_integers_and_words_only() -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(plain(entry) for entry in value.values())
        return value is None or (isinstance(value, int | str) and not isinstance(value, bool))

    assert all(plain(asdict(preset.rule)) for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"look_back_days": 0}, "look-back days 0, expected 1 to 730"),
        ({"look_back_days": 731}, "look-back days 731"),
        ({"skip_days": 45}, "skip days 45, expected 0 to 44"),
        ({"low_usage_permille": 1_001}, "low usage permille"),
        ({"least_intervals_permille": 0}, "least intervals permille 0, expected 1"),
        ({"match_gap_min": -1}, "match gap minutes -1"),
        ({"adjustment": AdjustmentKind.ADDITIVE}, "no window of hours near the event"),
        ({"method": Method.SAME_DAY}, "no window of hours near the event"),
        ({"fallback": Fallback.SAME_DAY}, "no window of hours near the event"),
        ({"cap_up_permille": 200}, "a cap without an adjustment"),
        (
            {"method": Method.SAME_DAY, "adjustment": AdjustmentKind.ADDITIVE, "window": WINDOW},
            "no adjustment",
        ),
        ({"day_types": DayTypes.ALL, "weekend_quota": Quota(1, 1, 1)}, "all days are alike"),
        (
            {
                "adjustment": AdjustmentKind.ADDITIVE,
                "window": WINDOW,
                "cap_down_permille": 1_001,
            },
            "cap down permille 1001, expected 0 to 1000",
        ),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RuleError, match=problem):
        Rule("wrong", **parameters)


@pytest.mark.parametrize(("x", "y", "least"), [(0, 5, 1), (6, 5, 1), (1, 731, 1)])
def test_x_of_y_is_a_choice(x: int, y: int, least: int) -> None:
    with pytest.raises(RuleError, match="expected 1 <= x <= y <= 730"):
        Quota(x, y, least)


@pytest.mark.parametrize("least", [0, 6])
def test_the_least_days_are_some_of_y(least: int) -> None:
    with pytest.raises(RuleError, match=r"expected 1 to y \(5\)"):
        Quota(4, 5, least)


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ((60, 240, 0, 0), "from 60 to 240 min before"),
        ((1_441, 0, 0, 0), "before the event"),
        ((0, 0, 60, 0), "from 60 to 0 min after"),
        ((0, 0, 0, 1_441), "after the event"),
        ((0, 0, -60, 0), "after the event"),
    ],
)
def test_a_window_runs_forward(window: tuple[int, int, int, int], problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        Window(*window)
