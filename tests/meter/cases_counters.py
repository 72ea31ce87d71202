"""Energy counters: what falls is marked, and what is known of them outlives a restart."""

from wattle_meter import counters
from wattle_meter.counters import Counters
from wattle_testkit.meter_fakes import FakeStore


def judged(values, wrap=None, begin=None):
    """(letters, rollovers, exchanges) of `values`, one after the other."""
    found = Counters()
    if begin is not None:
        found.newest["ei"] = begin
    letters = "".join(found.judge("ei", value, wrap) or "." for value in values)
    return letters, found.rollovers, found.exchanges


def test_a_counter_that_rises_or_stands_is_sound():
    assert judged([0, 0, 5, 10**12]) == ("....", 0, 0)


def test_a_fall_near_the_end_of_the_range_is_a_rollover():
    assert judged([1590, 10, 20], 1600) == (".O.", 1, 0)
    assert judged([1500, 0], 1600) == (".O", 1, 0)  # a sixteenth of the range
    assert judged([1499, 0], 1600) == (".X", 0, 1)
    assert judged([1590, 100], 1600) == (".X", 0, 1)
    assert judged([1700, 10], 1600) == (".X", 0, 1)  # it was never in that range


def test_any_other_fall_is_another_device():
    assert judged([100, 99, 100]) == (".X.", 0, 1)
    assert judged([100, 0, 0, 100, 7]) == (".X..X", 0, 2)


def test_each_quantity_stands_for_itself():
    found = Counters()
    assert found.judge("ei", 100, None) is None
    assert found.judge("ee", 5, None) is None
    assert found.judge("ei1", 7, None) is None
    assert found.judge("ee", 4, None) == "X"


def test_what_was_saved_is_compared_after_a_restart():
    store = FakeStore()
    before = {1: Counters(), 2: Counters()}
    before[1].judge("ei", 1000, None)
    before[1].judge("ei1", 400, None)
    before[1].judge("ee", 0, None)
    counters.save(store, before)
    store.commit()
    after = {1: Counters(), 2: Counters(), 3: Counters()}
    counters.load(store, after)
    assert after[1].newest == {"ei": 1000, "ee": 0}
    assert after[2].newest == after[3].newest == {}
    assert after[1].judge("ei", 12, None) == "X"
    assert after[2].judge("ei", 12, None) is None


def test_more_devices_than_a_record_holds():
    store = FakeStore()
    many = {number: Counters() for number in range(1, 33)}
    for number in many:
        many[number].judge("ei", 2**40 + number, None)
        many[number].judge("ee", 2**40, None)
    counters.save(store, many)
    assert len(store.get("counters")) <= 512
    after = {number: Counters() for number in range(1, 33)}
    counters.load(store, after)
    known = [number for number in after if after[number].newest]
    assert known == list(range(1, len(known) + 1))
    assert len(known) >= 20


def test_a_damaged_record_is_none():
    for record in (b"", b"\xff", b"\x81\x83\x01\x02", b"\x81\x01", b"\x81\x83\x61a\x01\x02"):
        store = FakeStore()
        store.set("counters", record)
        found = {1: Counters()}
        counters.load(store, found)
        assert found[1].newest == {}


def frozen(found, readings, every_ms=60000, start_ms=0):
    """Letters of readings (p in W, ei in Wh or None), one after the other."""
    letters = ""
    for at, (power_w, energy_wh) in enumerate(readings):
        values = {"p": 10 * power_w}
        if energy_wh is not None:
            values["ei"] = energy_wh
        letters += "F" if found.is_frozen(values, start_ms + at * every_ms) else "."
    return letters


def test_a_counter_that_follows_the_power_is_sound():
    assert frozen(Counters(), [(6000, 100 * at) for at in range(100)]) == "." * 100
    # A step of 1 kWh every ten minutes, as behind a large transformer.
    assert frozen(Counters(), [(6000, at // 10 * 1000) for at in range(400)]) == "." * 400


def test_a_counter_that_stands_still_while_power_flows_is_frozen_until_it_moves():
    found = Counters()
    moving = [(6000, 100 * at) for at in range(5)]
    letters = frozen(found, moving + [(6000, 400)] * 20 + [(6000, 500)] * 3)
    # 100 Wh a minute, steps of 100 Wh: enough is 1 kWh, ten minutes after it last moved.
    assert letters == "." * 14 + "F" * 11 + "..."
    assert found.frozen == 11


def test_one_that_has_never_moved_is_given_more_time():
    found = Counters()
    letters = frozen(found, [(6000, 7)] * 102)
    assert letters == "." * 101 + "F"  # 10 kWh, counted from the second reading on


def test_without_power_or_without_its_value_nothing_is_frozen():
    assert frozen(Counters(), [(0, 7)] * 500) == "." * 500
    assert frozen(Counters(), [(-6000, 7)] * 500) == "." * 500
    assert frozen(Counters(), [(6000, None)] * 500) == "." * 500
    found = Counters()
    for at in range(500):
        assert not found.is_frozen({"p": "T", "ei": 7}, at * 60000)


def test_the_lesser_power_of_two_readings_counts():
    assert frozen(Counters(), [(6000, 7), (0, 7)] * 250) == "." * 500


def test_exported_energy_has_its_own_counter():
    found = Counters()
    letters = ""
    for at in range(110):
        values = {"p": -60000, "ei": 7, "ee": 9}
        letters += "F" if found.is_frozen(values, at * 60000) else "."
    assert letters == "." * 101 + "F" * 9


def test_a_clock_that_is_set_freezes_nothing():
    found = Counters()
    assert frozen(found, [(6000, 7)] * 3, 1000) == "..."
    assert frozen(found, [(6000, 7)] * 3, 1000, 10**12) == "..."
    assert frozen(found, [(6000, 7)] * 3, 1000) == "..."
