"""MQTT 3.1.1 packets: written by hand from the standard, fed whole, in pieces and as garbage."""

from wattle_meter import mqtt
from wattle_meter.mqtt import MqttError, PacketIds, PacketReader
from wattle_testkit.client_bench import publish

# 3.1: name MQTT, level 4, clean session + will QoS 1 retained, keep-alive 30, client id, will
CONNECT = bytes.fromhex(
    "101a 0004 4d515454 04 2e 001e 0003 6d2d31 0004 612f6221 0003 627965".replace(" ", "")
)
PUBLISH = bytes.fromhex("3209 0003 612f62 0102 6869".replace(" ", ""))


def packets(data, size, limit=mqtt.PACKET_BYTES_MAX):
    """Everything a reader finds in `data` fed in pieces of `size` bytes."""
    reader = PacketReader(limit)
    found = []
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        while True:
            packet = reader.next()
            if packet is None:
                break
            found.append(packet)
    return found


def refused(function, *arguments):
    try:
        function(*arguments)
    except MqttError as error:
        return str(error)
    raise AssertionError("accepted")


def test_connect_with_will():
    assert mqtt.connect("m-1", 30, ("a/b!", b"bye", True)) == CONNECT


def test_connect_without_will():
    packet = mqtt.connect("m-1", 60)
    assert packet == bytes.fromhex("100f00044d5154540402003c00036d2d31")


def test_publish():
    assert publish("a/b", b"hi", 0x0102) == PUBLISH
    assert publish("a/b", b"hi", 0x0102, True)[0] == 0x33
    assert publish("a/b", b"hi") == bytes.fromhex("30070003612f626869")


def test_duplicate_keeps_everything_else():
    packet = publish("a/b", b"hi", 0x0102)
    mqtt.mark_duplicate(packet)
    assert packet[0] == 0x3A
    assert packet[1:] == PUBLISH[1:]


def test_small_packets():
    assert mqtt.puback(0x1234) == bytes.fromhex("40021234")
    assert mqtt.subscribe(7, ["a", "b/c"]) == bytes.fromhex(
        "820c00070001610100 03622f6301".replace(" ", "")
    )
    assert bytes.fromhex("c000") == mqtt.PINGREQ_PACKET


def test_remaining_length_at_its_steps():
    for length, head in ((127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001")):
        packet = publish("t", bytes(length - 3))
        assert packet[1 : 1 + len(head) // 2] == bytes.fromhex(head)
        assert packets(bytes(packet), 1000, 20000) == [(3, 0, b"\0\x01t" + bytes(length - 3))]


def test_stream_in_pieces_of_every_size():
    answer = bytes.fromhex("20020000") + PUBLISH + bytes.fromhex("40020102d0009003000701")
    expected = [
        (mqtt.CONNACK, 0, b"\0\0"),
        (mqtt.PUBLISH, 2, PUBLISH[2:]),
        (mqtt.PUBACK, 0, b"\1\2"),
        (mqtt.PINGRESP, 0, b""),
        (mqtt.SUBACK, 0, b"\0\7\1"),
    ]
    for size in range(1, len(answer) + 1):
        assert packets(answer, size) == expected
    for length in range(len(answer)):
        found = packets(answer[:length], 3)
        assert found == expected[: len(found)]
        assert len(found) < 5


def test_packet_beyond_the_limit_is_refused_at_its_head():
    reader = PacketReader(100)
    reader.feed(bytes((0x30, 98)))
    assert reader.next() is None
    reader = PacketReader(100)
    reader.feed(bytes((0x30, 99)))
    assert "at most 100" in refused(reader.next)


def test_remaining_length_of_five_bytes_is_refused():
    reader = PacketReader(mqtt.REMAINING_LENGTH_MAX)
    reader.feed(b"\x30\x80\x80\x80\x80\x01")
    assert "four bytes" in refused(reader.next)


def test_connack():
    mqtt.parse_connack(0, b"\0\0")
    mqtt.parse_connack(0, b"\1\0")
    assert "not authorised" in refused(mqtt.parse_connack, 0, b"\0\5")
    assert "unknown" in refused(mqtt.parse_connack, 0, b"\0\x80")
    for flags, body in ((1, b"\0\0"), (0, b"\0"), (0, b"\2\0"), (0, b"\0\0\0"), (0, b"")):
        assert "malformed" in refused(mqtt.parse_connack, flags, body)


def test_acknowledgements():
    assert mqtt.parse_puback(0, b"\x12\x34") == 0x1234
    assert mqtt.parse_suback(0, b"\0\7\1\x80") == (7, b"\1\x80")
    for flags, body in ((2, b"\0\1"), (0, b"\1"), (0, b"\0\1\2")):
        refused(mqtt.parse_puback, flags, body)
    for flags, body in ((2, b"\0\1\1"), (0, b"\0\1")):
        refused(mqtt.parse_suback, flags, body)


def test_received_message():
    message = mqtt.parse_publish(0x0B, PUBLISH[2:])
    assert (message.topic, message.payload, message.packet_id) == ("a/b", b"hi", 0x0102)
    assert (message.qos, message.retain, message.dup) == (1, True, True)
    message = mqtt.parse_publish(0, b"\0\1t")
    assert (message.topic, message.payload, message.packet_id, message.qos) == ("t", b"", 0, 0)


def test_malformed_message_is_refused():
    for flags, body in (
        (4, b"\0\1t\0\1"),  # QoS 2
        (6, b"\0\1t\0\1"),  # QoS 3
        (8, b"\0\1t"),  # DUP at QoS 0
        (2, b"\0\1t"),  # no packet identifier
        (2, b"\0\1t\0\0"),  # packet identifier 0
        (2, b"\0\1t\0"),
        (0, b""),
        (0, b"\0"),
        (0, b"\0\0"),  # no topic
        (0, b"\0\2t"),
        (0, b"\0\1\xff"),  # not UTF-8
    ):
        refused(mqtt.parse_publish, flags, body)


def test_garbage_never_raises_anything_else():
    state = 12345
    for _ in range(400):
        data = bytearray()
        for _ in range(40):
            state = (state * 1103515245 + 12345) % 2147483648
            data.append(state >> 16 & 255)
        try:
            for kind, flags, body in packets(bytes(data), 7):
                if kind == mqtt.PUBLISH:
                    mqtt.parse_publish(flags, body)
                elif kind == mqtt.CONNACK:
                    mqtt.parse_connack(flags, body)
                elif kind == mqtt.SUBACK:
                    mqtt.parse_suback(flags, body)
                elif kind == mqtt.PUBACK:
                    mqtt.parse_puback(flags, body)
        except MqttError:
            pass


def test_packet_identifiers_wrap_and_skip_those_in_use():
    ids = PacketIds()
    assert [ids.next([]) for _ in range(3)] == [1, 2, 3]
    assert ids.next([4, 5, 7]) == 6
    assert ids.next([7]) == 8
    for _ in range(mqtt.PACKET_ID_MAX - 8):
        last = ids.next([])
    assert last == 65535
    assert ids.next([1, 2]) == 3


def test_text_too_long_is_refused():
    refused(mqtt.publish_head, "t" * 65536, 0)
