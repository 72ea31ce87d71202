"""The MQTT client against a broker in memory, on a clock that the case moves."""

import asyncio

from wattle_meter import backoff, mqtt, mqtt_client
from wattle_meter.mqtt_client import NotConnectedError
from wattle_testkit.client_bench import WINDOW, case, publish
from wattle_testkit.meter_fakes import settle


async def opening(bench):
    assert bench.openings == 1
    assert bench.client.connected
    assert bench.stream.written == [
        mqtt.connect("id1", mqtt_client.KEEPALIVE_S, ("w", b"gone", True)),
        mqtt.subscribe(1, ["ack"]),
    ]


test_opening = case(opening)


async def messages_go_out_in_order(bench):
    for text in (b"a", b"b", b"c"):
        await bench.send(text)
    await settle()
    assert bench.published() == [(2, b"a", False), (3, b"b", False), (4, b"c", False)]
    assert bench.client.counts["acknowledged"] == 3


test_messages_go_out_in_order = case(messages_go_out_in_order)


async def a_long_message_goes_out_in_pieces(bench):
    payload = bytes([at % 251 for at in range(2 * mqtt_client.PIECE_BYTES + 5)])
    before = len(bench.stream.written)
    await bench.client.publish("t", payload)
    await settle()
    pieces = bench.stream.written[before:]
    assert [len(piece) for piece in pieces[:2]] == [mqtt_client.PIECE_BYTES] * 2
    assert b"".join(pieces) == publish("t", payload, 2)
    assert bench.client.counts["acknowledged"] == 1


test_a_long_message_goes_out_in_pieces = case(a_long_message_goes_out_in_pieces)


async def a_message_that_fills_its_pieces_leaves_no_empty_one(bench):
    payload = bytes(mqtt_client.PIECE_BYTES - len(mqtt.publish_head("t", 1200, 2)))
    before = len(bench.stream.written)
    await bench.client.publish("t", payload)
    await settle()
    assert bench.stream.written[before:] == [publish("t", payload, 2)]


test_a_message_that_fills_its_pieces_leaves_no_empty_one = case(
    a_message_that_fills_its_pieces_leaves_no_empty_one
)


async def window_holds_back_the_publisher(bench):
    bench.acks = False
    sent = []

    async def publisher():
        for number in range(WINDOW + 2):
            await bench.send(b"%d" % number)
            sent.append(number)

    task = asyncio.create_task(publisher())
    await settle()
    assert sent == list(range(WINDOW))
    bench.stream.feed(mqtt.puback(bench.published()[0][0]))
    await settle()
    assert sent == list(range(WINDOW + 1))
    for packet_id, _, _ in bench.published()[1:]:
        bench.stream.feed(mqtt.puback(packet_id))
    await task
    assert len(bench.published()) <= WINDOW + 2


test_window_holds_back_the_publisher = case(window_holds_back_the_publisher)


async def window_is_bounded_in_bytes(bench):
    bench.acks = False
    await bench.send(bytes(16384))
    task = asyncio.create_task(bench.send(bytes(16384)))
    await settle()
    assert len(bench.client._window) == 1
    bench.stream.feed(mqtt.puback(2))
    await task


test_window_is_bounded_in_bytes = case(window_is_bounded_in_bytes)


async def unacknowledged_messages_are_sent_again(bench):
    bench.acks = False
    for text in (b"a", b"b", b"c"):
        await bench.send(text)
    await settle()
    bench.stream.feed(mqtt.puback(3))
    await settle()
    bench.stream.finish()
    await settle()
    assert bench.closings == ["OSError: closed by the broker"]
    bench.acks = True
    await bench.clock.advance(2000)
    await bench.send(b"d")
    await settle()
    assert bench.published() == [(2, b"a", True), (4, b"c", True), (6, b"d", False)]
    assert bench.client.counts["resent"] == 2
    assert bench.client._window == []


test_unacknowledged_messages_are_sent_again = case(unacknowledged_messages_are_sent_again)


async def publisher_without_connection_is_told(bench):
    bench.acks = False
    for number in range(WINDOW):
        await bench.send(b"%d" % number)
    told = []

    async def publisher():
        try:
            await bench.send(b"one too many")
        except NotConnectedError:
            told.append(True)

    task = asyncio.create_task(publisher())
    await settle()
    bench.stream.finish()
    await task
    assert told == [True]
    try:
        await bench.send(b"x")
    except NotConnectedError:
        return
    raise AssertionError("taken without a connection")


test_publisher_without_connection_is_told = case(publisher_without_connection_is_told)


async def received_messages_are_acknowledged(bench):
    bench.stream.feed(bytes(publish("ack", b"one", 77)) + bytes(publish("ack", b"two")))
    await settle()
    assert bench.messages == [("ack", b"one"), ("ack", b"two")]
    assert bench.stream.written[2:] == [mqtt.puback(77)]


test_received_messages_are_acknowledged = case(received_messages_are_acknowledged)


async def idle_connection_is_pinged(bench):
    for _ in range(10):
        await bench.clock.advance(mqtt_client.PING_AFTER_MS)
    pings = bench.stream.written.count(mqtt.PINGREQ_PACKET)
    assert 7 <= pings <= 10
    assert bench.closings == []


test_idle_connection_is_pinged = case(idle_connection_is_pinged)


async def half_open_connection_is_left(bench):
    bench.pongs = False
    limit_ms = mqtt_client.PING_AFTER_MS + mqtt_client.ANSWER_MS
    await bench.clock.advance(limit_ms - 1)
    assert bench.closings == []
    await bench.clock.advance(2 * mqtt_client.WATCH_MS + 1)
    assert bench.closings == ["no answer to a ping for 10000 ms"]
    assert bench.streams[0].closed


test_half_open_connection_is_left = case(half_open_connection_is_left)


async def broker_that_owes_a_puback_is_left(bench):
    bench.acks = False
    await bench.send(b"a")
    await settle()
    bench.acks = True  # of what comes behind it
    for _ in range(3):
        await bench.clock.advance(mqtt_client.PUBACK_MS // 4)
        await bench.send(b"b")
    assert bench.closings == []
    await bench.clock.advance(mqtt_client.PUBACK_MS // 4 + mqtt_client.WATCH_MS)
    assert bench.closings == ["no PUBACK for 20000 ms"]
    await bench.clock.advance(2000)
    assert bench.published() == [(2, b"a", True)]


test_broker_that_owes_a_puback_is_left = case(broker_that_owes_a_puback_is_left)


async def write_that_hangs_is_left(bench):
    bench.stream.hangs = True
    await bench.send(b"a")
    await bench.send(b"b")
    await bench.clock.advance(mqtt_client.ANSWER_MS + mqtt_client.WATCH_MS)
    assert bench.closings == ["a write did not end for 10000 ms"]
    await bench.clock.advance(2000)
    assert bench.published() == [(2, b"a", True), (3, b"b", False)]


test_write_that_hangs_is_left = case(write_that_hangs_is_left)


async def attempts_grow_rarer(bench):
    bench.unreachable = True
    bench.stream.finish()
    await bench.clock.advance(600000)
    waits = [b - a for a, b in zip(bench.dialled_at[1:], bench.dialled_at[2:])]
    assert "111" in bench.closings[1]
    assert waits[:4] == [2 * backoff.BASE_MS << at for at in range(4)]
    assert max(waits) == backoff.CEILING_MS
    bench.unreachable = False
    await bench.clock.advance(backoff.CEILING_MS)
    assert bench.openings == 2


test_attempts_grow_rarer = case(attempts_grow_rarer)


async def connection_that_does_not_get_up_is_left(bench):
    bench.dial_hangs = True
    bench.stream.finish()
    await bench.clock.advance(2000)
    assert len(bench.dialled_at) == 2
    await bench.clock.advance(mqtt_client.CONNECT_MS + mqtt_client.WATCH_MS)
    assert bench.closings[1] == "not connected after 20000 ms"


test_connection_that_does_not_get_up_is_left = case(connection_that_does_not_get_up_is_left)


async def refusals_have_their_reason(bench):
    bench.accepts = b"\x20\x02\x00\x05"
    bench.stream.finish()
    await bench.clock.advance(2000)
    assert bench.closings[1] == "MqttError: connection refused: 5, not authorised"
    bench.accepts = b"\x20\x02\x00\x00"
    bench.grants = b"\x80"
    await bench.clock.advance(4000)
    assert bench.closings[-1] == "MqttError: subscription to ack refused"
    assert bench.openings == 1


test_refusals_have_their_reason = case(refusals_have_their_reason)


async def garbage_ends_the_connection(bench):
    for garbage, reason in (
        (b"\x62\x02\x00\x01", "packet of type 6 out of turn"),
        (b"\x20\x02\x00\x00", "packet of type 2 out of turn"),
        (b"\x30\xff\xff\xff\xff\x01", "packet of"),
        (b"\x36\x05\x00\x01t\x00\x01", "PUBLISH with flags 6"),
    ):
        bench.stream.feed(garbage)
        await settle()
        assert bench.closings[-1].startswith("MqttError: " + reason), bench.closings[-1]
        await bench.clock.advance(60000)
        assert bench.client.connected


test_garbage_ends_the_connection = case(garbage_ends_the_connection)


async def dropping_empties_the_window_and_goes_on_at_once(bench):
    bench.acks = False
    await bench.send(b"a")
    await settle()
    bench.client.drop("another gateway")
    await settle()
    assert bench.closings == ["another gateway"]
    assert bench.openings == 2
    assert bench.dialled_at[1] == bench.dialled_at[0]
    assert bench.published() == []


test_dropping_goes_on_at_once = case(dropping_empties_the_window_and_goes_on_at_once)


async def dropping_from_a_message(bench):
    bench.on_message = lambda: bench.client.drop("as told")
    bench.stream.feed(bytes(publish("ack", b"go", 5)))
    await settle()
    assert bench.closings == ["as told"]
    assert bench.openings == 2


test_dropping_from_a_message = case(dropping_from_a_message)


async def dropping_while_waiting_to_connect(bench):
    bench.unreachable = True
    bench.stream.finish()
    await bench.clock.advance(200000)
    bench.unreachable = False
    attempts = len(bench.dialled_at)
    bench.client.drop("try another")
    await bench.clock.advance(mqtt_client.REST_PIECE_MS)
    assert len(bench.dialled_at) == attempts + 1
    assert bench.client.connected


test_dropping_while_waiting_to_connect = case(dropping_while_waiting_to_connect)


async def broker_that_floods_is_answered_within_bounds(bench):
    bench.stream.hangs = True
    for number in range(1, 101):
        bench.stream.feed(bytes(publish("ack", b"x", number)))
    await settle()
    assert len(bench.client._replies) <= mqtt_client.REPLIES_MAX
    assert len(bench.messages) <= mqtt_client.REPLIES_MAX + 2


test_broker_that_floods_is_answered_within_bounds = case(
    broker_that_floods_is_answered_within_bounds
)
