"""The command that runs seeds: one line at the end, and how to replay what failed."""

import pytest
from wattle_testkit.simulation.__main__ import main
from wattle_testkit.simulation.campaign import run_seeds


def test_it_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--seed0", "15", "--n", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1
    assert out[0].startswith("sim: 2 seeds, 0 failures, ")


def test_a_failure_says_how_to_replay_it(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seeds", "3", "--seed0", "15", "--n", "4", "--mutant", "sent_before_persisted"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "FAILED seed 15, n = 4, commit " in out
    assert "persisted before sent" in out
    assert 'replay: make sim SEEDS=1 SEED0=15 N=4 ARGS="--trace --mutant sent_before' in out
    assert out.splitlines()[-1].startswith("sim: 1 seeds, 1 failures")


def test_a_mutant_that_passes_is_a_failure_of_the_simulator() -> None:
    assert main(["--seeds", "1", "--seed0", "15", "--n", "1", "--mutant", "anchor_at_r_plus_2"])


@pytest.mark.parametrize("sizes", ["5", "four", "4;7"])
def test_sizes_that_are_none_are_refused(sizes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--n", sizes])
    assert sizes.partition(";")[0] in capsys.readouterr().err


def test_sizes_are_taken_in_turn() -> None:
    results = list(run_seeds([15, 16], [1, 4]))
    assert [(result.seed, result.size) for result in results] == [(15, 4), (16, 1)]
