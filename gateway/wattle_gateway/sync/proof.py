"""Whether a history holds: chain, blocks and votes of commits that somebody else decided."""

from collections.abc import Sequence

from wattle_gateway.ledger import leaf
from wattle_gateway.ledger.block import CommitVote, VerifiedBlock
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.sync.errors import UnprovedHistoryError
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.messages import HistoryCommit
from wattle_gateway.sync.parcels import ProvedCommit


def prove(
    commits: Sequence[HistoryCommit],
    tail: Sequence[bytes],
    votes: Sequence[bytes],
    head: CommitVote,
    intake: Intake,
    source: bytes,
) -> tuple[ProvedCommit, ...]:
    """The commits after `head`, if q votes of the epoch in force prove them (SPEC section 15).

    The cheap checks come first: who lies must not make us verify a megabyte of blocks.
    Raises UnprovedHistoryError or another GatewayError of the ledger formats if anything is amiss.
    """
    assert commits
    leaves = [commit.leaf for commit in commits]
    digests, rows = _chain([*leaves, *tail], head, intake.epoch.number)
    _check_votes(votes, digests, head.index + len(commits), intake)
    proved = []
    for commit, row in zip(commits, rows, strict=False):
        blocks = _blocks(commit, row, intake)
        proved.append(
            ProvedCommit(row.epoch, row.index, row.leader, blocks, digests[row.index], source)
        )
    return tuple(proved)


def _chain(
    leaves: Sequence[bytes], head: CommitVote, epoch: int
) -> tuple[dict[int, bytes], list[CommitLeaf]]:
    """Digests by index, and the leaves read, if each follows the one before."""
    digests: dict[int, bytes] = {}
    rows = []
    index, digest = head.index, head.digest
    for raw in leaves:
        row = leaf.decode(raw)
        if not isinstance(row, CommitLeaf):
            raise UnprovedHistoryError(f"the leaf after commit {index} is not that of a commit")
        if (row.epoch, row.index, row.previous_digest) != (epoch, index + 1, digest):
            raise UnprovedHistoryError(
                f"commit {row.index} of epoch {row.epoch} does not follow commit {index} of "
                f"epoch {epoch}"
            )
        index, digest = row.index, leaf.commit_digest(raw)
        digests[index] = digest
        rows.append(row)
    return digests, rows


def _check_votes(
    votes: Sequence[bytes], digests: dict[int, bytes], last_index: int, intake: Intake
) -> None:
    """UnprovedHistoryError unless q authors voted for commits of the chain from `last_index` on."""
    authors = set()
    for raw in votes:
        header = intake.header(raw)
        vote = header.commit_vote
        if vote.index < last_index or digests.get(vote.index) != vote.digest:
            raise UnprovedHistoryError(
                f"a vote for commit {vote.index} is not for a commit of this chain from "
                f"{last_index} on"
            )
        intake.verify_header(header)
        authors.add(header.author)
    if len(authors) < intake.epoch.quorum:
        raise UnprovedHistoryError(
            f"votes of {len(authors)} authors, expected {intake.epoch.quorum}"
        )


def _blocks(commit: HistoryCommit, row: CommitLeaf, intake: Intake) -> tuple[VerifiedBlock, ...]:
    """The blocks of a commit, each valid, in the order of execution, the leader's last."""
    headers = [intake.header(packed.header) for packed in commit.blocks]
    refs = [header.ref for header in headers]
    if refs != sorted(set(refs)) or not refs or refs[-1] != row.leader:
        raise UnprovedHistoryError(
            f"the blocks of commit {row.index} are not in order up to its leader"
        )
    return tuple(
        intake.check(header, packed) for header, packed in zip(headers, commit.blocks, strict=True)
    )
