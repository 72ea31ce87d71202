"""The walk over a SunSpec map, step by step; that a device is read by it: cases_metering."""

from wattle_meter.profile import Profile
from wattle_meter.register import Register
from wattle_meter.sunspec import Discovery

MARKER = [0x5375, 0x6E53]


def discovery():
    profile = Profile()
    profile.models = [201, 203]
    profile.bases = [40000, 0]
    profile.registers = {"u": Register(8, "int16", 1, 15), "f": Register(100, "int16", 2)}
    return Discovery(profile)


def walked(found, heads):
    """Answers the walk from a map that begins at 40000 with `heads` [(model, length)]."""
    for at, head in enumerate(heads):
        found.answered(([] if at else MARKER) + list(head))


def test_it_goes_from_block_to_block():
    found = discovery()
    assert found.question() == (40000, 4)
    walked(found, [(1, 66)])
    assert found.question() == (40070, 2)
    found.answered([103, 50])
    assert found.question() == (40122, 2)
    found.answered([203, 105])
    assert found.base == 40122


def test_the_first_block_may_be_the_one():
    found = discovery()
    walked(found, [(201, 105)])
    assert found.base == 40002


def test_where_there_is_no_map_it_goes_on_at_the_next_base():
    found = discovery()
    found.answered([0x5375, 0, 201, 105])
    assert found.question() == (0, 4)
    found.refused()
    assert (found.question(), found.rounds) == ((40000, 4), 1)


def test_a_block_too_short_for_the_profile_is_passed_over():
    found = discovery()
    walked(found, [(203, 98), (203, 99)])
    assert found.base == 40002 + 100


def test_lists_without_the_model_end():
    for heads in ([(1, 66), (0xFFFF, 0)], [(1, 66), (101, 65000)], [(9, 0)] * 64):
        found = discovery()
        walked(found, heads)
        assert found.base is None
        assert found.question() == (0, 4), heads[:3]


def test_a_search_begins_anew():
    found = discovery()
    walked(found, [(201, 105)])
    found.restart()
    assert (found.base, found.question()) == (None, (40000, 4))
