"""A commit for people, with a drawing of the three rounds that it comes from."""

from collections import Counter
from collections.abc import Collection

from wattle_gateway.cli.text import plain_name, shown_bytes, shown_time
from wattle_gateway.reports.commits import CommitReport, Phase

_NAME_CHARS_MAX = 20
_COLUMN_CHARS = 16
_LEADER, _TAKES_PART, _OTHER, _NONE = "■", "●", "○", " "
# By (above, below, left, right): where the lines of a connection lead.
_LINES = {
    (False, False, False, False): " ",
    (False, False, True, False): "─",
    (False, False, True, True): "─",
    (False, True, False, True): "┌",
    (False, True, True, False): "┐",
    (False, True, True, True): "┬",
    (True, False, False, True): "└",
    (True, False, True, False): "┘",
    (True, False, True, True): "┴",
    (True, True, False, False): "│",
    (True, True, False, True): "├",
    (True, True, True, False): "┤",
    (True, True, True, True): "┼",
}
_MEANING = (
    "how many members' blocks of the round below the leader's block stands on",
    "blocks that name the leader's block",
    "blocks that name a quorum of these votes",
)


def commit_lines(found: CommitReport) -> list[str]:
    """The lines of `commit show`."""
    size = sum(block.payload_bytes for block in found.blocks)
    authors = {block.author.kid for block in found.blocks}
    rounds = [block.round for block in found.blocks]
    kinds = Counter(leaf.kind for leaf in found.leaves)
    leaves = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no entries"
    at = found.leaf - len(found.leaves)
    time = f"{shown_time(found.time_ms)}.{found.time_ms % 1000:03d}"
    how = (
        "directly: certificates of a quorum"
        if found.direct
        else "by a later commit, or by the votes of a quorum that came with it"
    )
    return [
        f"commit {found.index}  {found.digest}",
        f"time          {time} UTC, epoch {found.epoch}",
        f"slot          round {found.slot}, led by {plain_name(found.leader.name)}",
        "",
        *drawing(found),
        "",
        *(
            _phase_line(number, phase, meaning)
            for number, (phase, meaning) in enumerate(
                zip(found.phases, _MEANING, strict=True), start=1
            )
        ),
        f"decided       {how}",
        f"blocks        {len(found.blocks)} by {len(authors)} members, rounds {min(rounds)} to "
        f"{max(rounds)}; entries: {found.entries}, {shown_bytes(size)}",
        f"ledger        {leaves}: leaves {at} to {found.leaf}, the last is the commit's own",
        f"state         {found.state_digest}",
        f"after         {found.previous_digest}",
    ]


def drawing(found: CommitReport) -> list[str]:
    """Members by rising index and their blocks in the three rounds: the leader's, the votes for
    it, the certificates."""
    proposal, votes, certificates = found.phases
    kids = [member.kid for member in found.members]
    names = [plain_name(_short(member.name)) for member in found.members]
    width = max(len(name) for name in names) + 2
    leader = [kids.index(found.leader.kid)]
    marks = [
        _marks(kids, found.rounds[0], leader, _LEADER),
        _marks(kids, found.rounds[1], _rows(kids, votes), _TAKES_PART),
        _marks(kids, found.rounds[2], _rows(kids, certificates), _TAKES_PART),
    ]
    first = _bus(len(kids), leader, _rows(kids, votes))
    second = _bus(len(kids), _rows(kids, votes), _rows(kids, certificates))
    head = [f"{phase.name}".ljust(_COLUMN_CHARS) for phase in (proposal, votes, certificates)]
    below = [f"round {phase.round}".ljust(_COLUMN_CHARS) for phase in found.phases]
    lines = [" " * width + "".join(head).rstrip(), " " * width + "".join(below).rstrip()]
    for row, name in enumerate(names):
        drawn = name.ljust(width) + marks[0][row] + first[row] + marks[1][row]
        lines.append((drawn + second[row] + marks[2][row]).rstrip())
    return lines


def _marks(kids: list[str], present: Collection[str], rows: list[int], mark: str) -> list[str]:
    return [
        mark if row in rows else _OTHER if kid in present else _NONE for row, kid in enumerate(kids)
    ]


def _rows(kids: list[str], phase: Phase) -> list[int]:
    members = {who.kid for who in phase.who}
    return [row for row, kid in enumerate(kids) if kid in members]


def _bus(size: int, left: list[int], right: list[int]) -> list[str]:
    """What stands between two columns: lines from the rows `left` to the rows `right`."""
    if not left or not right:
        return [" " * (_COLUMN_CHARS - 1)] * size
    top, bottom = min([*left, *right]), max([*left, *right])
    half = (_COLUMN_CHARS - 2) // 2
    lines = []
    for row in range(size):
        inside = top <= row <= bottom
        corner = _LINES[(inside and row > top, inside and row < bottom, row in left, row in right)]
        before = ("─" if row in left else " ") * half
        after = ("─" if row in right else " ") * (_COLUMN_CHARS - 2 - half)
        lines.append(before + corner + after)
    return lines


def _phase_line(number: int, phase: Phase, meaning: str) -> str:
    share = f"{phase.count} of {phase.size}"
    verdict = "> 2/3" if phase.count >= phase.needed else f"not > 2/3, {phase.needed} needed"
    return f"P{number} {phase.name:<14}{share}, {verdict}: {meaning}"


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARS_MAX else f"{name[: _NAME_CHARS_MAX - 1]}…"
