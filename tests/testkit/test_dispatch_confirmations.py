"""The measurement of ten thousand answers measures: on a few loads."""

from pathlib import Path

from wattle_testkit.dispatch_confirmations import Confirmations, line, measure


def test_every_load_is_told_and_its_answer_is_final_everywhere(tmp_path: Path) -> None:
    found = measure(tmp_path, 12)
    assert found.loads == 12
    # Answers wait for a reading, which comes within a second, and for some rounds.
    assert 0 < found.told_s < found.final_s < 10
    assert "12 simulated loads" in line(found)
    assert "kept" in line(found)


def test_a_limit_that_is_not_kept_is_said_so() -> None:
    assert "NOT KEPT" in line(Confirmations(1, 1.0, 10.1, 0.5))
