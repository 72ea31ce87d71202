"""How a commit is drawn, and members' names that want to be more than names."""

import io
from dataclasses import replace

from rich.console import Console
from wattle_gateway.cli.alliance_text import print_alliance
from wattle_gateway.cli.commit_text import commit_lines, drawing
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import Cheat, FalseCheckpoints
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.reports import alliance as alliance_report
from wattle_gateway.reports.alliance import Who
from wattle_gateway.reports.commits import BlockLine, CommitReport, LeafLine, Phase
from wattle_testkit.alliance import CREATED_MS, Party, epoch_of

MEMBERS = [Who(name, f"{number:016x}") for number, name in enumerate(("ann", "bob", "cy", "dee"))]


def report(votes: str, certificates: str, present: tuple[str, str, str]) -> CommitReport:
    """Commit 5, led by bob in round 7; members are named by their first letters."""

    def who(letters: str) -> list[Who]:
        return [member for member in MEMBERS if member.name[0] in letters]

    def phase(name: str, round_number: int, letters: str) -> Phase:
        return Phase(name, round_number, len(letters), 3, 4, who(letters))

    return CommitReport(
        index=5,
        digest="d5" * 32,
        previous_digest="d4" * 32,
        state_digest="5a" * 32,
        epoch=2,
        time_ms=CREATED_MS + 7,
        leaf=41,
        slot=7,
        leader=MEMBERS[1],
        direct=len(certificates) >= 3,
        phases=[
            phase("proposal", 7, "abc"),
            phase("votes", 8, votes),
            phase("certificates", 9, certificates),
        ],
        rounds=[[member.kid for member in who(letters)] for letters in present],
        members=MEMBERS,
        blocks=[BlockLine(MEMBERS[1], 7, CREATED_MS, 2, 900, "b7" * 32)],
        entries=2,
        leaves=[LeafLine(39, "sample", 0), LeafLine(40, "transaction", 0)],
    )


def test_votes_of_all_and_certificates_of_three() -> None:
    found = report("abcd", "abd", ("abcd", "abcd", "abcd"))
    assert drawing(found) == [
        "     proposal        votes           certificates",
        "     round 7         round 8         round 9",
        "ann  ○       ┌───────●───────┬───────●",
        "bob  ■───────┼───────●───────┼───────●",
        "cy   ○       ├───────●───────┤       ○",
        "dee  ○       └───────●───────┴───────●",
    ]


def test_members_of_whom_there_is_no_block_have_no_mark() -> None:
    found = report("bcd", "b", ("b", "abcd", "bc"))
    assert drawing(found)[2:] == [
        "ann                  ○",
        "bob  ■───────┬───────●───────┬───────●",
        "cy           ├───────●───────┤       ○",
        "dee          └───────●───────┘",
    ]


def test_a_leader_whose_votes_are_not_here() -> None:
    found = report("", "", ("b", "", ""))
    assert drawing(found)[2:] == ["ann", "bob  ■", "cy", "dee"]
    lines = "\n".join(commit_lines(found))
    assert "P2 votes         0 of 4, not > 2/3, 3 needed" in lines
    assert "by a later commit" in lines


def test_what_is_said_of_a_commit() -> None:
    lines = commit_lines(report("abcd", "abd", ("abcd", "abcd", "abcd")))
    text = "\n".join(lines)
    assert lines[0] == f"commit 5  {'d5' * 32}"
    assert "2023-11-14 22:13:20.007 UTC, epoch 2" in text
    assert "round 7, led by bob" in text
    assert "P1 proposal      3 of 4, > 2/3" in text
    assert "P3 certificates  3 of 4, > 2/3" in text
    assert "directly: certificates of a quorum" in text
    assert "1 sample, 1 transaction: leaves 39 to 41" in text


def test_one_member_alone_is_drawn_too() -> None:
    found = report("b", "b", ("b", "b", "b"))
    alone = replace(found, members=[MEMBERS[1]])
    assert drawing(alone)[2:] == ["bob  ■───────────────●───────────────●"]


def test_names_cannot_write_to_the_terminal() -> None:
    epoch = epoch_of(Party("grid\x1b[2J"), Party("[bold red]x[/]\u202e"))
    found = alliance_report.read({}, epoch, first_head(epoch), bytes(8), {}, None)
    output = io.StringIO()
    print_alliance(Console(file=output, width=200), found)
    text = output.getvalue()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "grid?[2J" in text
    assert "[bold red]x[/]?" in text
    assert found.members[0].name in ("grid\x1b[2J", "[bold red]x[/]\u202e"), "for programs as is"


def test_who_cheated_is_shown() -> None:
    epoch = epoch_of(Party("honest"), Party("liar"))
    liar = next(member for member in epoch.members if member.name == "liar")
    state = State({})
    alliance.put_cheat(state, Cheat(liar.kid, 3, 77, bytes(32), bytes(32)))
    alliance.put_false_checkpoints(
        state, FalseCheckpoints(liar.kid, (5, bytes(32)), (9, bytes(32)))
    )
    rows = {row: value for row, value in state.changes() if value is not None}
    found = alliance_report.read(rows, epoch, first_head(epoch), liar.kid, {}, [])
    shown = {member.name: (member.cheated, member.false_checkpoints) for member in found.members}
    assert shown["honest"] == ("", "")
    assert shown["liar"] == (
        "signed two blocks in round 77 of epoch 3",
        "signed false checkpoints at sizes 5 and 9",
    )
    output = io.StringIO()
    print_alliance(Console(file=output, width=250), found)
    assert "CHEATED: signed two blocks in round 77 of epoch 3" in output.getvalue()
