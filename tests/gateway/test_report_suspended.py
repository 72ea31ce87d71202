"""What operators see of a suspended member: `alliance show`, `status`, and what to do about it."""

import io

import pytest
from rich.console import Console
from wattle_gateway.cli.alliance_text import print_alliance
from wattle_gateway.cli.members_text import members_table
from wattle_gateway.contracts import alliance as rows
from wattle_gateway.contracts.reputation import seats
from wattle_gateway.contracts.reputation.standing import Standing, put_standing, standing
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import evidence, genesis
from wattle_gateway.ledger.market import Market
from wattle_gateway.reports import alliance, member_status
from wattle_gateway.runtime.alliance_standing import AllianceStanding, MemberStanding
from wattle_testkit.alliance import Party, epoch_of, evidence_entry, two_blocks_of
from wattle_testkit.commit_chain import CommitChain

FOUR = [Party(name) for name in ("one", "two", "three", "four")]
LIAR = FOUR[1]
EPOCH = epoch_of(*FOUR, rules=genesis.EVENT_RULES)


@pytest.fixture
def ledger() -> CommitChain:
    made = CommitChain(EPOCH, *FOUR)
    made.commit(evidence_entry(evidence.two_blocks(*two_blocks_of(EPOCH, LIAR))))
    return made


def shown(print_it: object) -> str:
    page = io.StringIO()
    console = Console(file=page, width=400)
    if callable(print_it):
        print_it(console)
    else:
        console.print(print_it)
    return page.getvalue()


def test_alliance_show_names_who_is_suspended_and_the_change_that_waits(
    ledger: CommitChain,
) -> None:
    found = alliance.read(ledger.state, ledger.epoch, ledger.head, FOUR[0].kid, {}, None)
    (change,) = found.changes
    assert [member.name for member in change.leaves] == ["two"]
    assert (change.proposer.name, change.approved, change.settings) == ("the ledger", [], {})
    assert [member.name for member in change.missing] == [m.name for m in EPOCH.members]
    by_name = {member.name: member for member in found.members}
    assert by_name["two"].reputation == 0
    assert by_name["two"].suspended_until_ms == ledger.head.time_ms + Market().probation_ms
    assert (by_name["one"].reputation, by_name["one"].suspended_until_ms) == (500, None)
    text = shown(lambda console: print_alliance(console, found))
    assert "SUSPENDED until" in text
    assert "the ledger" in text
    assert change.digest in text


def test_under_older_rules_nobody_has_a_reputation() -> None:
    made = CommitChain(epoch_of(*FOUR, rules=2), *FOUR)
    found = alliance.read(made.state, made.epoch, made.head, FOUR[0].kid, {}, None)
    assert {member.reputation for member in found.members} == {None}


def members(ledger: CommitChain) -> AllianceStanding:
    found = tuple(
        MemberStanding(
            member=member,
            author=EPOCH.author_of(member.kid),
            round=1,
            block_ms=ledger.head.time_ms,
            slow=False,
            resting=member.kid in ledger.epoch.resting,
            cheat=rows.cheat(ledger.state, member.kid),
            false_checkpoints=None,
            reputation=standing(ledger.state, Market(), member.kid, ledger.head.time_ms),
            proposed=seats.proposed(ledger.state, member.kid),
        )
        for member in EPOCH.everyone
    )
    return AllianceStanding(ledger.epoch, ledger.head, found)


def test_status_says_by_what_command_its_seat_is_taken(ledger: CommitChain) -> None:
    lines = member_status.lines(members(ledger), FOUR[0].kid, ledger.head.time_ms, None)
    (proposal,) = rows.pending_changes(ledger.state, EPOCH)
    by_name = {line.name: line for line in lines}
    assert by_name["two"].proposed == proposal.digest.hex()
    assert by_name["one"].proposed == ""
    text = shown(members_table(lines, None))
    assert f"`alliance approve DIR {proposal.digest.hex()}` takes its seat" in text
    assert text.count("SUSPENDED") == 1


def test_who_leads_no_slot_is_named_in_both_and_is_not_called_slow() -> None:
    ledger = CommitChain(EPOCH, *FOUR)
    state = State({})
    put_standing(state, Standing(LIAR.kid, 200, suspended_ms=EPOCH.created_ms))
    ledger.state.update({row: value for row, value in state.changes() if value is not None})
    ledger.commit()
    found = alliance.read(ledger.state, ledger.epoch, ledger.head, FOUR[0].kid, {}, None)
    assert [member.name for member in found.members if member.resting] == ["two"]
    lines = member_status.lines(members(ledger), FOUR[0].kid, ledger.head.time_ms, None)
    assert [line.name for line in lines if line.resting] == ["two"]
    for text in (
        shown(lambda page: print_alliance(page, found)),
        shown(members_table(lines, None)),
    ):
        assert text.count(", leads no slot") == 1
        assert "slow" not in text
