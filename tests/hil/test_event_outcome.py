"""What is said of an event when a demonstration is over, and what makes its check fail."""

from typing import Any

from wattle_hil.runs.event_outcome import check_event
from wattle_hil.runs.event_story import EventOutcome

IDS = ("aa", "bb", "cc", "dd")
NAMES = ("bench-3", "bench-2", "house-7", "bench-4")


def line(energy_mwh: int | None, penalty: int = 0) -> dict[str, Any]:
    return {
        "how": "unmeasured" if energy_mwh is None else "integrated",
        "baseline_mj": 360_000_000,
        "energy_mwh": energy_mwh,
        "availability": 1_000,
        "energy": 0 if energy_mwh is None else 2_000,
        "penalty": penalty,
    }


def part(place: int, lines: list[dict[str, Any]], score: int, quota_w: int) -> dict[str, Any]:
    net = sum(one["availability"] + one["energy"] - one["penalty"] for one in lines)
    return {
        "point": f"{IDS[place]}/1",
        "status": "selected",
        "why": "chosen",
        "quotas_w": [quota_w] * len(lines),
        "statement": {"lines": lines, "score": {"value": score}, "net": net},
    }


def outcome(**changes: Any) -> EventOutcome:
    parts = [
        part(0, [line(16_666), line(16_666)], 800, 2_500),
        part(1, [line(16_666, 9_000), line(16_666, 9_000)], 600, 5_000),
        part(2, [line(16_666), line(None)], 700, 2_500),
        {"point": "dd/1", "status": "released", "why": "dearer", "statement": None},
    ]
    event = {"reached_w": 10_000, "interval_s": 120, "parts": parts}
    found = {
        "event": event,
        "before": {"bench-1": 100_000, **dict.fromkeys(NAMES, 0)},
        "after": {"bench-1": 90_000, "bench-3": 6_000, "house-7": 4_000, "bench-2": 0},
        "written_s": {"m1": 0.7, "m2": 0.8, "m3": 0.9, "m4": None},
    }
    return EventOutcome(**{**found, **changes})


def test_everybody_gets_what_the_rules_say_and_is_told_why() -> None:
    check = check_event(outcome(), IDS)
    assert check.passed is True, check.detail
    first, honest, boaster, silent, dear = check.detail.splitlines()
    assert first == "10 kW of 3 loads, told 0.70 to 0.90 s after the command"
    assert "delivered 2.50 2.50 kW; score 800" in honest
    assert honest.endswith("= 0.006000 EUR, paid 0.006000")
    assert boaster.endswith("= -0.012000 EUR, paid 0.000000, 0.012000 taken off the next payment")
    assert "delivered 2.50 unmeasured kW" in silent
    assert dear.endswith(": released, dearer")


def test_what_should_not_be_so_fails() -> None:
    late = outcome(written_s={"m1": 0.7, "m2": 2.1, "m3": None, "m4": None})
    check = check_event(late, IDS)
    assert check.passed is False
    assert "bench-2's load was not told within 2 s" in check.detail
    assert "house-7's load was not told within 2 s" in check.detail
    lost = outcome(after={"bench-1": 90_000, "bench-3": 6_000})
    assert "money is not conserved: 100000 before, 96000 after" in check_event(lost, IDS).detail
    unpaid = outcome(after={"bench-1": 100_000})
    assert "who keeps its word is not paid" in check_event(unpaid, IDS).detail


def test_an_event_that_was_ended_before_is_not_checked() -> None:
    check = check_event(None, IDS)
    assert check.passed is None
    assert "not over" in check.detail
