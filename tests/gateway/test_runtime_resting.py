"""A gateway that is away loses its slots, comes back and gets them back: real drivers (D33)."""

import sqlite3
from contextlib import closing
from pathlib import Path

from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.runtime import alliance_standing
from wattle_gateway.runtime.alliance_standing import MemberStanding
from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
# One bad day is enough, and a clean hour to return.
MARKET = Market(rate_permille=1000, probation_ms=HOUR_MS)
FOUR = epoch_of(*PARTIES, constants=Constants(leader_commits=8, market=MARKET))


def of(alliance: DrivenAlliance, name: str, seen_by: str = "ann") -> MemberStanding:
    """A member as a gateway's database shows it."""
    with closing(sqlite3.connect(alliance.members[seen_by].path)) as reader:
        found = alliance_standing.read(reader, alliance.epoch)
    (member,) = [member for member in found.members if member.member.name == name]
    return member


def leads(alliance: DrivenAlliance, name: str) -> set[bool]:
    """Whether a member leads slots, as each gateway says."""
    drivers = [alliance[other] for other in NAMES]
    return {
        driver.epoch.author_of(alliance.members[name].kid) in driver.engine.leaders
        for driver in drivers
    }


def test_who_is_away_rests_and_leads_again_after_a_clean_probation(tmp_path: Path) -> None:
    four = DrivenAlliance(tmp_path, *PARTIES, epoch=FOUR)
    four.run(10_000)
    four.kill("cid")
    four.run(DAY_MS - four.unix_ms % DAY_MS + HOUR_MS // 4)  # rated at midnight
    assert {four[name].epoch.number for name in NAMES if name != "cid"} == {1}
    away = of(four, "cid")
    assert (away.resting, away.slow) == (True, False)

    four.start("cid")
    four.run(HOUR_MS // 4)
    assert len({four[name].head for name in NAMES}) == 1
    assert four["cid"].epoch.number == 1
    assert leads(four, "cid") == {False}
    assert leads(four, "ann") == {True}

    four.run(HOUR_MS)
    assert {four[name].epoch.number for name in NAMES} == {2}
    assert leads(four, "cid") == {True}
    assert not of(four, "cid", "dee").resting
    assert len({four[name].epoch.digest for name in NAMES}) == 1
    four.close()
