"""The link against a broker in memory: what is said in which order, and who is believed."""

from wattle_meter import gateway_choice
from wattle_meter.fields import FieldError
from wattle_meter.link import HEALTH_EVERY_MS
from wattle_testkit.link_bench import BIRTH, KEYS, LEDGER, METER, Bench, T, case, sealed
from wattle_testkit.meter_fakes import settle
from wattle_wire import cbor, cose, downlink, p256, topics, uplink
from wattle_wire.downlink import Ack


async def greeting(bench):
    assert bench.leaves() == ["birth", "state"]
    _, raw, retained = bench.board.published[0]
    signed = cose.parse_sign1("birth", LEDGER, raw)
    p256.verify(KEYS.signing.public, signed.digest, signed.signature)
    assert uplink.decode_birth(signed.payload) == BIRTH
    assert retained
    online, connection, nonce = bench.state()
    assert online
    assert len(nonce) == 16
    assert bench.board.published[1][2]
    will = uplink.encode_state(connection, False)
    connect = bench.board.streams[0].written[0]
    assert will in connect
    assert topics.topic("here", METER, "state").encode() in connect


test_a_connection_begins_with_birth_and_state = case(greeting)


def test_a_gateway_whose_key_is_no_point_is_named():
    try:
        Bench([bytes((4,)) + bytes(63) + b"\x01"])
    except FieldError as error:
        assert "link_public of gw0" in str(error)
        return
    raise AssertionError("accepted")


async def live_samples(bench):
    assert await bench.record() == 1
    assert await bench.record() == 2
    assert bench.samples() == [1, 2]
    assert bench.journal.samples_wait()
    await bench.ack(2)
    assert not bench.journal.samples_wait()
    assert bench.link.is_up()
    await bench.record()
    assert bench.samples() == [1, 2, 3]
    assert bench.link.counts["acks"] == 1


test_samples_go_out_as_they_are_made = case(live_samples)


async def forgeries(bench):
    await bench.record()
    good = sealed("ack", downlink.encode_ack(Ack(1, 1, [], [], 5, bytes(32))), 0)
    await bench.deliver("ack", good[:-1] + bytes((good[-1] ^ 1,)))
    await bench.deliver("cmd", good)
    assert bench.link.counts["forged"] == 2
    await bench.deliver("ack", good[:-1])
    await bench.deliver("ack", b"")
    await bench.deliver("ack", b"\x00" * 2000)
    await bench.say("ack", cbor.encode([1, 2]))
    assert bench.link.counts["malformed"] == 4
    await bench.ack(1, gateway=1)
    assert bench.link.counts["foreign"] == 1
    assert bench.journal.chain.final == 0
    await bench.deliver("ack", good)
    assert bench.journal.chain.final == 1
    await bench.ack(0, index=6)
    await bench.ack(1, index=4)
    assert bench.link.counts["stale"] == 2
    assert bench.link.counts["acks"] == 1


test_only_the_gateways_own_acks_that_go_forward_count = case(forgeries)


async def time_question(bench):
    nonce = bench.state()[2]
    await bench.say("cmd", downlink.encode_command(1, downlink.TIME, [bytes(16), T]))
    assert bench.wall.state(bench.clock.now_ms) == "U"
    bench.clock.now_ms += 200
    raw = await bench.say("cmd", downlink.encode_command(2, downlink.TIME, [nonce, T]))
    assert bench.wall.state(bench.clock.now_ms) == "S"
    assert bench.wall.now_ms(bench.clock.now_ms) == T + 100
    assert len(bench.jumps) == 1
    await bench.deliver("cmd", raw)
    assert bench.link.counts["times"] == 1
    assert bench.link.counts["stale"] == 2


test_the_time_is_taken_from_an_answer_to_our_own_question = case(time_question)


async def another_question(bench):
    first = bench.state()[2]
    bench.clock.now_ms += 19999
    await bench.record()
    assert bench.state()[2] == first
    bench.clock.now_ms += 1
    await bench.record()
    assert bench.state()[2] != first
    assert bench.leaves().count("state") == 2


test_an_unanswered_question_is_asked_again = case(another_question)


async def health(bench):
    states = bench.leaves().count("state")
    nonce = bench.state()[2]
    await bench.say("cmd", downlink.encode_command(1, downlink.TIME, [nonce, T]))
    bench.clock.now_ms += HEALTH_EVERY_MS - 1
    await bench.record()
    assert bench.leaves().count("state") == states
    bench.clock.now_ms += 1
    await bench.record()
    assert bench.leaves().count("state") == states + 1
    last = uplink.decode_state([row[1] for row in bench.board.published if row[0] == "state"][-1])
    assert last[2] is None
    assert (last[3].uptime_s, last[3].heap_free) == (12, 20480)
    assert bench.board.proved == [T]


test_every_five_minutes_it_says_how_it_is = case(health)


async def resend(bench):
    await bench.record()
    await bench.record()
    await bench.ack(0, durable=2)
    await bench.say("cmd", downlink.encode_command(7, downlink.RESEND, [2, 2]))
    await bench.clock.advance(100)
    bench.link.wake()
    await settle()
    assert bench.samples() == [1, 2, 2]
    await bench.say("cmd", downlink.encode_command(8, downlink.SETPOINT, [bytes(32), 1, 5, T]))
    assert bench.link.counts["stale"] == 1
    assert "while the clock is U" in bench.board.logged[-1]
    assert bench.link.figures()["commands"] == {"carried_out": 1, "replayed": 0, "refused": 1}


test_commands_are_carried_out_or_refused = case(resend)


async def silence(bench):
    await bench.record()
    ack = await bench.ack(0, durable=1)
    assert bench.control.heard_count == 1
    await bench.deliver("ack", ack)
    bench.board.streams[-1].finish()
    for _ in range(20):
        await bench.clock.advance(1000)
    await bench.deliver("ack", ack)
    assert bench.link.counts["acks"] == 3
    assert bench.control.heard_count == 1
    command = downlink.encode_command(7, downlink.RESEND, [1, 1])
    await bench.say("cmd", command)
    await bench.say("cmd", command)
    assert bench.control.heard_count == 2


test_repeating_what_a_gateway_once_said_does_not_pass_for_it = case(silence)


async def no_room(bench):
    read = bench.journal.data
    failed = []

    def data(seq):
        if not failed:
            failed.append(seq)
            raise MemoryError("no piece of 1826 bytes")
        return read(seq)

    bench.journal.data = data
    await bench.record()
    assert (failed, bench.samples()) == ([1], [])
    assert bench.board.logged[-1] == "link: no room to send"
    bench.link.wake()
    await settle()
    assert bench.samples() == [1]
    assert await bench.record() == 2
    assert bench.samples() == [1, 2]


test_a_sample_that_finds_no_room_in_the_heap_goes_out_later = case(no_room)


async def standstill(bench):
    await bench.record()
    assert bench.board.dialled == ["gw0"]
    bench.link.service()
    bench.clock.now_ms += gateway_choice.STANDSTILL_MS
    bench.link.service()
    await settle()
    assert bench.board.dialled == ["gw0", "gw1"]
    assert bench.link.client.connected
    await bench.ack(1, gateway=0)
    assert bench.link.counts["foreign"] == 1
    await bench.ack(1, gateway=1)
    assert bench.journal.chain.final == 1


test_where_final_stands_still_the_next_gateway_gets_its_turn = case(standstill)


async def reconnect(bench):
    await bench.record()
    await bench.ack(1)
    first = bench.state()[1]
    bench.board.streams[-1].finish()
    await settle()
    assert not bench.link.is_up()
    await bench.record()
    for _ in range(12):
        await bench.clock.advance(1000)
    assert bench.board.dialled == ["gw0", "gw0"]
    assert bench.leaves().count("birth") == 2
    assert bench.state()[1] != first
    bench.link.wake()
    await settle()
    assert bench.samples() == [1, 2]


test_after_a_lost_connection_it_begins_anew_and_sends_what_is_not_final = case(reconnect)
