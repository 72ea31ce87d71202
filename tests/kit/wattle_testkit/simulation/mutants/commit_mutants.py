"""Faults in what a graph is taken to say: the commit rule, the order, the time."""

from collections.abc import Sequence

from wattle_gateway.consensus import committer, linearizer
from wattle_gateway.consensus.committer import SKIP, Commit, Verdict, leader_of
from wattle_gateway.consensus.dag import Dag, Vertex
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.ledger import commit as commits
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.epoch import Epoch

from wattle_testkit.simulation.mutants.replacement import Replacement
from wattle_testkit.simulation.node_clock import NodeClock


def anchor_at_r_plus_2() -> list[Replacement]:
    """An anchor two rounds above (rule 20): its history need not hold a certificate."""
    return [(committer, "ANCHOR_DISTANCE", 2)]


def blocks_counted() -> list[Replacement]:
    """Certificates are counted as blocks, not as authors (rules 19, 22)."""

    def judge(dag: Dag, epoch: Epoch, leaders: Sequence[int], round_number: int) -> Verdict:
        leader = leader_of(leaders, round_number)
        blamers = sum(
            not any(ref.round == round_number and ref.author == leader for ref in block.parents)
            for block in dag.at(round_number + 1)
        )
        if blamers >= epoch.quorum:
            return SKIP
        for vertex in dag.slot(round_number, leader):
            if vertex.certifier_places.bit_count() >= epoch.quorum:
                return Commit(vertex.block)
        return None

    return [(committer, "_judge_directly", judge)]


def skip_by_f_plus_1() -> list[Replacement]:
    """A slot is skipped when f + 1 authors blame it (rule 18 wants q)."""
    right = committer._judge_directly

    def judge(dag: Dag, epoch: Epoch, leaders: Sequence[int], round_number: int) -> Verdict:
        verdict = right(dag, epoch, leaders, round_number)
        blamers = dag.blamers(round_number, leader_of(leaders, round_number)).bit_count()
        return SKIP if verdict is None and blamers > epoch.faulty_max else verdict

    return [(committer, "_judge_directly", judge)]


def verdict_kept_over_schedule() -> list[Replacement]:
    """Verdicts of the old schedule are used behind its change (rules 21, 28)."""

    def decide(self: Sequencer, dag: Dag) -> list[commits.Commit]:
        decided = []
        for verdict in committer.decided_prefix(dag, self._epoch, self.leaders, self.leader_round):
            if isinstance(verdict, Commit):
                decided.append(self._take(dag, dag.vertex(verdict.block.ref))[0])
        return decided

    return [(Sequencer, "decide", decide)]


def floor_from_own_graph() -> list[Replacement]:
    """What a commit may still collect depends on how far this gateway is (rule 24)."""
    right = linearizer.order

    def order(dag: Dag, leader: Vertex, floor: int) -> list[Vertex]:
        return [
            vertex
            for vertex in right(dag, leader, floor)
            if vertex.block.round > dag.top - 5 or vertex is leader
        ]

    return [(linearizer, "order", order)]


def taken_by_highest_round() -> list[Replacement]:
    """An author's blocks count as taken up to the highest taken one (rule 25)."""
    right = linearizer.order

    def order(dag: Dag, leader: Vertex, floor: int) -> list[Vertex]:
        highest: dict[int, int] = {}
        for author in range(len(dag._by_author)):
            rounds = [v.block.round for v in dag.by_author(author, floor) if v.taken]
            highest[author] = max(rounds, default=0)
        return [
            vertex
            for vertex in right(dag, leader, floor)
            if vertex.block.round > highest[vertex.block.author]
        ]

    return [(linearizer, "order", order)]


def order_of_arrival() -> list[Replacement]:
    """Blocks of a commit are executed as they came here (rule 26)."""

    def order(dag: Dag, leader: Vertex, floor: int) -> list[Vertex]:
        taken = {vertex.block.digest: vertex for vertex in dag.untaken(leader, floor)}
        return [taken[digest] for digest in dag._vertices if digest in taken]

    return [(linearizer, "order", order)]


def wall_clock_in_commit_time() -> list[Replacement]:
    """The time of a commit is that of the gateway's clock (rule 27)."""
    now = NodeClock.now
    shown = [0]

    def noted(self: NodeClock) -> object:
        at = now(self)
        shown[0] = at.unix_ms
        return at

    def commit_time_ms(dag: Dag, epoch: Epoch, leader: Block, previous_ms: int) -> int:
        return max(previous_ms, shown[0])

    return [(NodeClock, "now", noted), (linearizer, "commit_time_ms", commit_time_ms)]


MUTANTS = {
    function.__name__: function
    for function in (
        anchor_at_r_plus_2,
        blocks_counted,
        floor_from_own_graph,
        order_of_arrival,
        skip_by_f_plus_1,
        taken_by_highest_round,
        verdict_kept_over_schedule,
        wall_clock_in_commit_time,
    )
}
