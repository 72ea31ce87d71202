"""What a sample says about its predecessors, and gaps until `final` passes them."""

from wattle_meter.chain import PENDING_GAPS_MAX, Chain
from wattle_wire import sample
from wattle_wire.sample import GAP_ABSENT, GAP_DAMAGED, GAP_FULL, GAP_RESTART, Reading

EUI64 = bytes(range(8))
READINGS = [Reading(1, 1700000000000, "G", {"ei": 5})]
DIGEST = bytes(range(32))


def new(last=None):
    return Chain(EUI64, 3, last)


def gaps(chain):
    return [tuple(gap) for gap in chain.gaps]


def test_the_first_sample_of_a_segment_points_nowhere():
    made = new().sample(1, "U", READINGS)
    assert (made.eui64, made.seq, made.boot, made.prev) == (EUI64, 1, 3, None)
    assert (made.clock, made.seen, made.gaps, made.readings) == ("U", None, [], READINGS)
    sample.encode(made)


def test_a_sample_points_to_the_one_before_it():
    chain = new()
    chain.signed(1, DIGEST)
    assert chain.sample(2, "I", READINGS).prev == DIGEST
    chain.signed(2, bytes(32))
    assert chain.sample(3, "I", READINGS).prev == bytes(32)


def test_behind_a_lost_seq_a_segment_starts():
    chain = new()
    chain.signed(1, DIGEST)
    assert chain.sample(3, "I", READINGS).prev is None


def test_after_a_clean_stop_the_chain_goes_on():
    chain = new((41, DIGEST))
    assert chain.sample(42, "I", READINGS).prev == DIGEST
    assert new((41, DIGEST)).sample(1024, "I", READINGS).prev is None


def test_a_gap_is_declared_until_final_passes_it():
    chain = new()
    assert chain.declare(5, 9, GAP_RESTART) == 5
    assert chain.sample(10, "I", READINGS).gaps == [(5, 9, GAP_RESTART)]
    assert chain.sample(11, "I", READINGS).gaps == [(5, 9, GAP_RESTART)]
    chain.passed(4)
    assert gaps(chain) == [(5, 9, GAP_RESTART)]
    chain.passed(7)
    assert gaps(chain) == [(8, 9, GAP_RESTART)]
    chain.passed(9)
    assert chain.sample(12, "I", READINGS).gaps == []
    chain.passed(3)
    assert chain.final == 9


def test_what_final_has_passed_is_not_declared():
    chain = new()
    chain.passed(9)
    assert chain.declare(5, 9, GAP_ABSENT) == 0
    assert chain.declare(5, 12, GAP_ABSENT) == 3
    assert gaps(chain) == [(10, 12, GAP_ABSENT)]


def test_gaps_rise_and_never_overlap():
    chain = new()
    chain.declare(20, 29, GAP_FULL)
    chain.declare(5, 7, GAP_DAMAGED)
    assert chain.declare(1, 40, GAP_ABSENT) == 40 - 10 - 3
    assert gaps(chain) == [
        (1, 4, GAP_ABSENT),
        (5, 7, GAP_DAMAGED),
        (8, 19, GAP_ABSENT),
        (20, 29, GAP_FULL),
        (30, 40, GAP_ABSENT),
    ]
    assert chain.declare(1, 40, GAP_FULL) == 0
    sample.encode(chain.sample(41, "I", READINGS))


def test_neighbours_of_one_reason_are_one_gap():
    chain = new()
    chain.declare(5, 5, GAP_FULL)
    chain.declare(7, 7, GAP_FULL)
    assert len(gaps(chain)) == 2
    chain.declare(6, 6, GAP_FULL)
    chain.declare(4, 4, GAP_FULL)
    chain.declare(8, 9, GAP_FULL)
    assert gaps(chain) == [(4, 9, GAP_FULL)]
    chain.declare(10, 10, GAP_DAMAGED)
    assert gaps(chain) == [(4, 9, GAP_FULL), (10, 10, GAP_DAMAGED)]


def test_eight_gaps_go_into_a_sample_lowest_first():
    chain = new()
    for seq in range(30, 0, -2):
        chain.declare(seq, seq, GAP_ABSENT)
    made = chain.sample(40, "I", READINGS)
    assert made.gaps == [(seq, seq, GAP_ABSENT) for seq in range(2, 18, 2)]
    sample.encode(made)
    chain.passed(16)
    assert chain.sample(41, "I", READINGS).gaps[0] == (18, 18, GAP_ABSENT)


def test_pending_gaps_are_bounded():
    chain = new()
    for at in range(PENDING_GAPS_MAX):
        assert chain.declare(2 * at + 1, 2 * at + 1, GAP_ABSENT) == 1
    assert chain.declare(1000, 1000, GAP_ABSENT) == 0
    assert chain.declare(2, 2, GAP_ABSENT) == 1  # joins its neighbours: needs no room
    assert len(gaps(chain)) == PENDING_GAPS_MAX - 1


def test_seen_is_the_newest_commit_shown():
    chain = new()
    chain.shown(0, DIGEST)
    assert chain.sample(1, "S", READINGS).seen is None
    assert chain.commit_index == 0
    chain.shown(7, DIGEST)
    assert chain.commit_index == 7
    assert chain.sample(1, "S", READINGS).seen == (7, DIGEST[:16])
    chain.shown(6, bytes(32))
    chain.shown(7, bytes(32))
    assert chain.sample(2, "S", READINGS).seen == (7, DIGEST[:16])
