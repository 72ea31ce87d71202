"""Two parties and a regulator at real gateways: a user disputes a line of its statement, its
aggregator answers, the observer decides at a gateway that has no vote, and all read the outcome."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_testkit.alliance_commands import said
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.waiting import until

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
EXIT_USAGE, EXIT_REFUSED = 2, 7
# Statements a second after the event; some seconds to dispute them, minutes to decide.
MARKET = Market(interval_s=2, settle_ms=1_000, dispute_ms=10_000, decide_ms=120_000)


def aggregator_and_observer(number: int, choice: NewGateway) -> NewGateway:
    return replace(choice, role=genesis.AGGREGATOR) if number == 0 else choice


class Story:
    """An event of the aggregator in which the user's load was selected and nothing was measured."""

    def __init__(self, folder: Path) -> None:
        self.alliance = AllianceProcesses(
            folder / "alliance",
            voting=1,
            observers=1,
            constants=Constants(enrol_approvals=1, market=MARKET),
            change=aggregator_and_observer,
        )
        self.key = folder / "house.pem"
        self._folder = folder

    @property
    def aggregator(self) -> GatewayProcess:
        return self.alliance[0]

    @property
    def observer(self) -> GatewayProcess:
        return self.alliance[1]

    def begin(self) -> None:
        """The user, its load, and the event, up to its first statement."""
        at, word, proof = self.aggregator.folder, self._folder / "word", self._folder / "proof"
        board = self.aggregator.board("meter")
        proof.write_bytes(board.proof())
        self.point = f"{board.kid.hex()}/1"
        said("party", "word", at / "site.json", self.key, "--name", "house", "--output", word)
        said("party", "register", at, word)
        said("account", "issue", at, "EUR", "1000", "--decimals", "2")
        said("meters", "enrol", at, proof, "--points", "1:5000:3000", "--owner", "house")
        said(
            "dr", "offer", at, self.point, "--area", "north", "--capacity", "3kW", "--called",
            "500W", "--asset", "EUR", "--price", "90", "--within", "2s", "--holds", "1h",
            "--period", "200ms", "--key", self.key,
        )  # fmt: skip
        self.event = said(
            "dr", "publish", at, "--method", "fixed", "--quantity", "2kW", "--begin", "+6s",
            "--for", "4s", "--asset", "EUR", "--energy", "3000000", "--baseline",
            "same-day-3-plus-2",
        )["digest"]  # fmt: skip
        said("dr", "declare", at, self.event, self.point, "2kW", "--key", self.key)
        until(lambda: self.shown()["state"] == "settled", DEADLINE_S, "the first statement")

    def shown(self) -> Any:
        """`dr event`."""
        return said("dr", "event", self.aggregator.folder, self.event)

    def dispute(self, step: str, *words: str | Path, at: GatewayProcess | None = None) -> Any:
        return command("dr", "dispute", step, (at or self.aggregator).folder, *words)

    def statement(self, at: GatewayProcess, form: str) -> str:
        done = command(
            "dr", "statement", at.folder, "house", "--event", self.event[:8], "--format", form
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    try:
        made.alliance.start()
        made.begin()
        yield made
    finally:
        made.alliance.kill()


def test_a_dispute_from_its_opening_to_its_payment(story: Story) -> None:
    opened = is_opened_by_the_user(story)
    is_answered_by_the_other_side(story, opened)
    is_decided_by_neither(story, opened)
    is_paid_and_told_to_everybody(story, opened)


def is_opened_by_the_user(story: Story) -> str:
    begin_ms = story.shown()["begin_ms"]
    words = (story.event, story.point, "--reason", "the meter was exchanged", "--key", story.key)
    beside = story.dispute("open", *words, "--at", str(begin_ms + 4_000))
    assert (beside.returncode, "the event is from" in beside.stderr) == (EXIT_USAGE, True)
    done = story.dispute("open", *words, "--at", str(begin_ms + 3_000))
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(story.dispute("list", "--format", "json").stdout)
    assert done.stdout.strip().endswith(row["dispute"])
    assert (row["interval"], row["answer"], row["decision"]) == (1, None, None)
    return str(row["dispute"])


def is_answered_by_the_other_side(story: Story, opened: str) -> None:
    own = story.dispute("answer", opened[:8], "it was", "--key", story.key)
    # Tried here first: a refusal on the ledger would be a fault of the house.
    assert (own.returncode, "nothing was sent: not_a_side" in own.stderr) == (EXIT_USAGE, True)
    done = story.dispute("answer", opened[:8], "it was not")
    assert (done.returncode, done.stdout) == (0, "the answer stands on the ledger\n")
    again = story.dispute("answer", opened[:8], "never")
    assert (again.returncode, "answered_already" in again.stderr) == (EXIT_REFUSED, True)


def is_decided_by_neither(story: Story, opened: str) -> None:
    words = (opened[:8], "3.50", "half of it")
    side = story.dispute("decide", *words)
    assert (side.returncode, "role_not_allowed" in side.stderr) == (EXIT_REFUSED, True)
    until(
        lambda: story.dispute("list", "--format", "json", at=story.observer).stdout != "[]\n",
        DEADLINE_S,
        "the observer has it, too",
    )
    done = story.dispute("decide", *words, at=story.observer)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "decided: 3.50 EUR, paid with the last statement\n"


def is_paid_and_told_to_everybody(story: Story, opened: str) -> None:
    for at in story.alliance:
        until(
            lambda at=at: (
                json.loads(story.statement(at, "json"))["statements"][0]["state"] == "final"
            ),
            DEADLINE_S,
            "the last statement",
        )
    text = story.statement(story.aggregator, "text")
    assert "decided, 3.50" in text
    assert "shares 3.50, carried in 0.00, paid 3.50, carried on 0.00" in text
    assert "decision" in story.statement(story.aggregator, "csv")
    assert story.statement(story.observer, "json") == story.statement(story.aggregator, "json")
    accounts = said("account", "show", story.observer.folder)["accounts"]
    held = {row["party"]["name"]: (row["unlocked"], row["locked"]) for row in accounts}
    assert held == {"gateway-1": ("996.50", "0.00"), "house": ("3.50", "0.00")}
    (row,) = said("supervise", "report", story.observer.folder)["disputes"]
    assert (row["dispute"], row["by"], row["decided_by"]) == (opened, "house", "gateway-2")
    assert (row["answer"], row["decision"], row["decided"]) == ("it was not", "half of it", 350)
