"""What attacks cost the others: the table of gateway/ATTACKS.md, measured.

Clusters of real engines, links of 50 ms one way. One honest member after the other has a
transaction for the ledger; measured is when the last honest member has its commit, and how many
rounds there were from its block to that, both included.
"""

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from wattle_testkit.dag_builder import entry_of
from wattle_testkit.engine_cluster import EngineCluster, Station

TRANSACTIONS = 20
# Others' transactions do not meet: the alliance is idle again before the next.
APART_MS = 1713
GIVEN_UP_MS = 20_000
PAGE = Path(__file__).parents[2] / "gateway" / "ATTACKS.md"


def nothing(cluster: EngineCluster, liars: str) -> None:
    pass


def crashed(cluster: EngineCluster, liars: str) -> None:
    for letter in liars:
        cluster.crash(letter)


def withholding(cluster: EngineCluster, liars: str) -> None:
    for letter in liars:
        cluster.hold(letter)


def whispering(cluster: EngineCluster, liars: str) -> None:
    for letter in liars:
        cluster.whisper(letter, "A" + liars)


def equivocating(cluster: EngineCluster, liars: str) -> None:
    honest = [letter for letter in cluster.committee.letters if letter not in liars]
    for at, letter in enumerate(liars):
        one = "".join(honest[at::2])
        other = "".join(sorted(set(honest) - set(one))) + liars
        cluster.split(letter, one, other.replace(letter, ""), on=True)


def slow(cluster: EngineCluster, liars: str) -> None:
    for letter in liars:
        cluster.slow(letter, 400)


ATTACKS: dict[str, tuple[Callable[[EngineCluster, str], None], int, str]] = {
    "nobody lies": (nothing, 4, ""),
    "1 of 4 is silent": (crashed, 4, "D"),
    "1 of 4 withholds its blocks": (withholding, 4, "D"),
    "1 of 4 sends its blocks to one member only": (whispering, 4, "D"),
    "1 of 4 signs twins in every round": (equivocating, 4, "D"),
    "1 of 4 needs 400 ms": (slow, 4, "D"),
    "2 of 7 are silent": (crashed, 7, "FG"),
    "2 of 7 sign twins in every round": (equivocating, 7, "FG"),
    "3 of 10 are silent": (crashed, 10, "HIJ"),
    "3 of 10 sign twins in every round": (equivocating, 10, "HIJ"),
}


def final_in(station: Station, entry: bytes) -> int | None:
    """Rounds from the block with an entry to the commit that took it, None while there is none."""
    for commit in station.store.commits[-16:]:
        for block in commit.blocks:
            if entry in station.store.blocks[block.ref].entries:
                assert station.member is not None
                return station.member.engine.quorum_round - block.round + 1
    return None


def measured(name: str) -> tuple[int, int, int]:
    """(median ms, worst ms, most rounds) over the transactions."""
    attack, members, liars = ATTACKS[name]
    cluster = EngineCluster(members, {})
    for letter in cluster.committee.letters:
        cluster.start(letter)
    attack(cluster, liars)
    honest = [letter for letter in cluster.committee.letters if letter not in liars]
    times_ms, rounds = [], []
    for number in range(TRANSACTIONS):
        begun_ms, word = cluster.now_ms, f"x{number}!"
        cluster.propose(honest[number % len(honest)], word)
        found: dict[str, int] = {}
        while len(found) < len(honest):
            cluster.run(10)
            assert cluster.now_ms - begun_ms < GIVEN_UP_MS, f"{word} is not final"
            for letter in honest:
                in_rounds = final_in(cluster.stations[letter], entry_of(word))
                if letter not in found and in_rounds is not None:
                    found[letter] = in_rounds
        times_ms.append(cluster.now_ms - begun_ms)
        rounds.append(max(found.values()))
        cluster.run(APART_MS)
        cluster.log.clear()
    return int(median(times_ms)), max(times_ms), max(rounds)


def rows_of_the_page() -> dict[str, tuple[int, int, int]]:
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: (int(half), int(worst), int(rounds)) for name, half, worst, rounds in rows}


def test_the_page_has_these_rows() -> None:
    assert rows_of_the_page().keys() == ATTACKS.keys()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_costs_what_the_page_says(name: str) -> None:
    assert measured(name) == rows_of_the_page()[name]
