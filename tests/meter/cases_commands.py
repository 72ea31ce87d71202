"""Commands: the counter rises for each gateway, over restarts too."""

from wattle_meter.commands import CommandError, Commands
from wattle_testkit.meter_fakes import FakeStore
from wattle_wire import cbor, downlink
from wattle_wire.errors import WireError

ONE = b"gateway1"
TWO = b"gateway2"
TIME_BODY = [bytes(16), 1700000000000]


def time_command(counter):
    return downlink.encode_command(counter, downlink.TIME, TIME_BODY)


def refused(commands, kid, payload, kind=CommandError):
    try:
        commands.accept(kid, payload)
    except kind as error:
        return str(error)
    raise AssertionError("accepted")


def test_a_counter_is_used_once():
    commands = Commands(FakeStore(), [ONE, TWO])
    assert commands.accept(ONE, time_command(5)) == (downlink.TIME, TIME_BODY)
    assert "expected more than 5" in refused(commands, ONE, time_command(5))
    assert "expected more than 5" in refused(commands, ONE, time_command(4))
    commands.accept(ONE, time_command(6))
    assert commands.counts == {"carried_out": 0, "replayed": 2, "refused": 0}


def test_gateways_count_apart():
    commands = Commands(FakeStore(), [ONE, TWO])
    commands.accept(ONE, time_command(5))
    commands.accept(TWO, time_command(1))


def test_counters_outlive_a_power_cut():
    store = FakeStore()
    Commands(store, [ONE, TWO]).accept(TWO, time_command(7))
    store.cut()
    commands = Commands(store, [ONE, TWO])
    refused(commands, TWO, time_command(7))
    commands.accept(ONE, time_command(7))


def test_a_gateway_that_left_the_list_is_forgotten():
    store = FakeStore()
    Commands(store, [ONE, TWO]).accept(TWO, time_command(7))
    Commands(store, [ONE]).accept(ONE, time_command(7))
    assert cbor.decode(store.get("commands")) == [[ONE, 7]]


def test_control_spends_a_counter_like_any_other():
    commands = Commands(FakeStore(), [ONE])
    body = [bytes(32), 1, 500, 1700000000000]
    setpoint = downlink.encode_command(9, downlink.SETPOINT, body)
    assert commands.accept(ONE, setpoint) == (downlink.SETPOINT, body)
    assert "expected more than 9" in refused(commands, ONE, setpoint)
    release = downlink.encode_command(10, downlink.RELEASE, [bytes(32), 1])
    assert commands.accept(ONE, release) == (downlink.RELEASE, [bytes(32), 1])
    refused(commands, ONE, time_command(10))


def test_a_resend_is_carried_out():
    commands = Commands(FakeStore(), [ONE])
    payload = downlink.encode_command(1, downlink.RESEND, [3, 9])
    assert commands.accept(ONE, payload) == (downlink.RESEND, [3, 9])


def test_an_unknown_kind_is_malformed_and_spends_nothing():
    commands = Commands(FakeStore(), [ONE])
    refused(commands, ONE, cbor.encode([5, 4, {}]), WireError)
    refused(commands, ONE, b"\xff", WireError)
    commands.accept(ONE, time_command(1))


def test_a_damaged_record_counts_as_none():
    for record in (b"", b"\xff", cbor.encode([1, 2]), cbor.encode([[b"short", 1]])):
        store = FakeStore()
        store.set("commands", record)
        Commands(store, [ONE]).accept(ONE, time_command(1))
