"""Power cuts between any two writes: nothing lost that was durable, nothing counted twice, no
round signed twice in the sight of others."""

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts.execute import RECORDED, execute
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.alliance import GRID, Board, enrol_entry, epoch_of, sample_entry
from wattle_testkit.lone_gateway import Disk, LoneGateway, PowerCutError

# A small garbage line and period, so that both are crossed within a run.
EPOCH = epoch_of(constants=Constants(gc_depth=4, state_root_every=3))
BOARD = Board("board", EPOCH)
ENTRIES = [enrol_entry(BOARD), *(sample_entry(BOARD.sample(seq)) for seq in range(1, 9))]

# (entries offered, time passed, writes until the power fails or None)
LIVES = st.lists(
    st.tuples(
        st.lists(st.integers(1, 3), min_size=1, max_size=4),
        st.sampled_from([0, 150, 2000, 60_000]),
        st.none() | st.integers(0, 9),
    ),
    min_size=1,
    max_size=6,
)


def waiting(disk: Disk) -> list[bytes]:
    """The entries without an outcome: what a gateway proposes after a start, enrolment first."""
    done = {
        disk.blocks[outcome.block].entries[outcome.position]
        for executed in disk.executed
        for outcome in executed.outcomes
        if outcome.effect == RECORDED
    }
    return [entry for entry in ENTRIES if entry not in done]


def live(disk: Disk, offers: list[int], passed_ms: int) -> list[Block]:
    """One life of the machine, until its power fails or it is told to stop; what peers saw."""
    sent: list[Block] = []
    try:
        gateway = LoneGateway(EPOCH, disk)
        gateway.sent = sent
        gateway.tick()
        queue = waiting(disk)
        for count in offers:
            gateway.propose(*queue[:count])
            queue = queue[count:]
            gateway.wait(passed_ms)
    except PowerCutError:
        pass
    return sent


@settings(max_examples=150)
@given(LIVES)
def test_power_cuts(lives: list[tuple[list[int], int, int | None]]) -> None:
    disk = Disk(first_head(EPOCH))
    sent: list[Block] = []
    for offers, passed_ms, writes in lives:
        disk.writes_left = writes
        sent += live(disk, offers, passed_ms)
    disk.writes_left = None
    sent += live(disk, [len(ENTRIES)], 60_000)

    rounds = [block.round for block in sent]
    assert len(rounds) == len(set(rounds)), "two blocks for one round left the machine"
    assert len(disk.blocks) == len({ref.round for ref in disk.blocks})
    recorded = [o for executed in disk.executed for o in executed.outcomes if o.effect == RECORDED]
    assert len(recorded) == len(ENTRIES)
    assert [outcome.seq for outcome in recorded].count(None) == 1
    check_replay(disk)


def check_replay(disk: Disk) -> None:
    """What an audit does: every commit again from nothing but its blocks."""
    head, state = first_head(EPOCH), dict[bytes, bytes]()
    taken: list[int] = []
    for commit, stored in zip(disk.commits, disk.executed, strict=True):
        blocks = [disk.blocks[block.ref] for block in commit.blocks]
        taken += [block.block.round for block in blocks]
        executed = execute(state, head, commit, blocks, EPOCH, crypto.verify, disk.digest_of)
        assert executed == stored
        head = executed.head
        for key, value in executed.changes:
            assert value is not None
            state[key] = value
    assert state == disk.state
    assert taken == list(range(1, len(taken) + 1))


def test_the_same_key_signs_the_same_round_twice_only_unseen() -> None:
    """A block that was signed and not stored may be signed again with another content: nobody
    has seen it, because storing comes before sending."""
    disk = Disk(first_head(EPOCH), writes_left=0)
    assert live(disk, [1], 0) == []
    disk.writes_left = None
    assert [block.round for block in live(disk, [2], 0)] == [1, 2, 3]
    assert GRID.kid == disk.blocks[min(disk.blocks)].block.kid
