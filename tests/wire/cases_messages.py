"""Acks, commands, states, births, proofs, topics: read back what was written, refuse the rest."""

from wattle_wire import cbor, downlink, health, topics, uplink
from wattle_wire.errors import LimitError, MalformedError

DIGEST = b"\x44" * 32
NONCE = b"\x55" * 16
HEALTH: list[object] = [
    [86400, 20480],
    [1, 3, 2, 0, 0, 1, 0, 0],
    -67,
    [7, 65536, 1, 0],
    [258000, 0, 12, 0, 0, 0, 0, 0],
    [86000, 12, 4, 0, 1],
    [2, 5],
    [[1, 12, 0], [30, 0, 4]],
]
KEY = b"\x04" + b"\x66" * 64

BIRTH = {
    "boot": 1,
    "clk": "U",
    "devices": [
        {
            "ct": [1, 1],
            "d": 1,
            "digest": DIGEST,
            "orient": 1,
            "profile": "sdm120",
            "q": ["ei", "p"],
            "unit": 1,
            "vt": [1, 1],
        }
    ],
    "eui64": b"\x02\x11\x22\xff\xfe\x33\x44\x55",
    "fw": "0.1.0",
    "interval_ms": 1000,
    "platform": "linux",
    "protect": "file",
    "seq": 1,
    "site": "demo",
    "time_ms": 946684800000,
    "version": 7,
}


def _refused(action, *arguments) -> None:  # type: ignore[no-untyped-def]
    try:
        action(*arguments)
    except MalformedError:
        return
    raise AssertionError("was not refused: %r" % (arguments,))


def _refused_at_every_length(decode, data: bytes) -> None:  # type: ignore[no-untyped-def]
    for length in range(len(data)):
        _refused(decode, data[:length])
    _refused(decode, data + b"\x00")


def test_ack_reads_back() -> None:
    data = downlink.encode_ack(downlink.Ack(10, 12, [[13, 14], [16, 16]], [[15, 2]], 5, DIGEST))
    ack = downlink.decode_ack(data)
    assert (ack.final, ack.durable, ack.commit_index, ack.commit_digest) == (10, 12, 5, DIGEST)
    assert ack.missing == [[13, 14], [16, 16]]
    assert ack.refused == [[15, 2]]
    _refused_at_every_length(downlink.decode_ack, data)


def test_acks_in_another_form_are_refused() -> None:
    good: list[object] = [10, 12, [[13, 14]], [[15, 2]], 5, DIGEST]
    for position, value in (
        (0, -1),
        (0, "10"),
        (0, True),
        (1, 9),
        (2, [[14, 13]]),
        (2, [[13, 14], [14, 15]]),
        (2, [[n, n] for n in range(9)]),
        (2, [[13]]),
        (2, None),
        (3, [[2, 1], [2, 1]]),
        (3, [[n, 1] for n in range(9)]),
        (3, [5]),
        (4, None),
        (5, DIGEST[:31]),
    ):
        changed = list(good)
        changed[position] = value
        _refused(downlink.decode_ack, cbor.encode(changed))
    _refused(downlink.decode_ack, cbor.encode(good[:5]))
    _refused(downlink.decode_ack, cbor.encode({}))


def test_commands_read_back() -> None:
    for kind, body in (
        (downlink.TIME, [NONCE, 1700000000000]),
        (downlink.RESEND, [3, 9]),
        (downlink.SETPOINT, [DIGEST, 1, -2000, 1700000000000]),
        (downlink.RELEASE, [DIGEST, 1]),
    ):
        data = downlink.encode_command(7, kind, body)
        assert downlink.decode_command(data) == (7, kind, body)
        _refused_at_every_length(downlink.decode_command, data)


def test_commands_in_another_form_are_refused() -> None:
    for command in (
        [7, 9, []],
        [7, 0, []],
        [7, downlink.CONFIG, []],
        [-1, downlink.RESEND, [3, 9]],
        [7, downlink.RESEND, [9, 3]],
        [7, downlink.RESEND, [3]],
        [7, downlink.TIME, [NONCE[:15], 1]],
        [7, downlink.TIME, [NONCE, -1]],
        [7, downlink.SETPOINT, [DIGEST, 33, 5, 5]],
        [7, downlink.SETPOINT, [DIGEST, 1, None, 5]],
        [7, downlink.RELEASE, [NONCE, 1]],
        [7, downlink.RELEASE, DIGEST],
        [7, downlink.RELEASE],
        {},
    ):
        _refused(downlink.decode_command, cbor.encode(command))


def test_state_reads_back() -> None:
    connection = b"\x77" * 8
    for online, nonce in ((True, NONCE), (True, None), (False, None)):
        data = uplink.encode_state(connection, online, nonce)
        assert uplink.decode_state(data) == (online, connection, nonce, None, None)
        _refused_at_every_length(uplink.decode_state, data)
    for state in (
        [],
        [2, connection],
        [True, connection, None],
        [1, connection],
        [0, NONCE],
        [0, connection, None, HEALTH],
        [1, connection, None, None],
        [1, connection, None, HEALTH, HEALTH],
        [1, connection, None, None, [1, 0]],
        [1, connection, None, None, [1, 12, 0]],
        [1, connection, None, None, [1, 0, 1 << 20]],
        [1, connection, None, None, [1 << 53, 0, 0]],
        [1, connection, None, HEALTH, None],
    ):
        _refused(uplink.decode_state, cbor.encode(state))
    too_long = cbor.encode([1, connection, bytes(uplink.STATE_BYTES_MAX)])
    try:
        uplink.decode_state(too_long)
    except LimitError:
        return
    raise AssertionError("a state of any length")


def test_news_of_an_update_read_back() -> None:
    news = (1700000000000, 0, 4096)
    for record in (None, HEALTH):
        data = uplink.encode_state(bytes(8), True, NONCE, record, news)
        found = uplink.decode_state(data)
        assert found[2] == NONCE
        assert (found[3] is None) == (record is None)
        assert found[4] == news
        _refused_at_every_length(uplink.decode_state, data)


def test_health_reads_back() -> None:
    data = uplink.encode_state(bytes(8), True, None, HEALTH)
    _refused_at_every_length(uplink.decode_state, data)
    found = uplink.decode_state(data)[3]
    assert found is not None
    assert (found.uptime_s, found.heap_free, found.rssi_dbm) == (86400, 20480, -67)
    assert health.RESET_CAUSES[found.reset_cause] == "watchdog"
    assert found.resets == [3, 2, 0, 0, 1, 0, 0]
    assert (found.waiting, found.flash_bytes, found.write_failed, found.dropped) == (7, 65536, 1, 0)
    assert dict(zip(health.BUS_OUTCOMES, found.bus))["timeout"] == 12
    assert (found.rounds, found.failed_readings, found.missed_slots) == (86000, 12, 4)
    assert (found.unsaved, found.restarts) == (0, 1)
    assert (found.connections, found.resent) == (2, 5)
    assert found.devices == {1: (12, 0), 30: (0, 4)}


def test_the_longest_health_record_fits_into_a_state() -> None:
    most = (1 << 53) - 1
    counts = [[most] * length for length in (2, 7, 8)]
    devices = [[number, most, most] for number in range(1, 33)]
    longest: list[object] = [
        counts[0],
        [6] + counts[1],
        -128,
        [most] * 4,
        counts[2],
        [most] * 5,
        counts[0],
        devices,
    ]
    data = uplink.encode_state(bytes(8), True, NONCE, longest)
    found = uplink.decode_state(data)[3]
    assert found is not None
    assert len(found.devices) == 32


def test_health_in_another_form_is_refused() -> None:
    for at, wrong in (
        (0, [1]),
        (0, [-1, 5]),
        (0, [1 << 53, 5]),
        (1, [7] + [0] * 7),
        (1, [0] * 7),
        (2, 1),
        (2, -129),
        (2, "weak"),
        (3, [0, 0, 0]),
        (4, [0] * 7),
        (5, [0, 0, 0, 0, True]),
        (6, None),
        (7, [[1, 1]]),
        (7, [[0, 1, 1]]),
        (7, [[33, 1, 1]]),
        (7, [[2, 1, 1], [1, 1, 1]]),
        (7, [[1, 1, 1], [1, 1, 1]]),
    ):
        record: list[object] = HEALTH[:at] + [wrong] + HEALTH[at + 1 :]
        _refused(uplink.decode_state, cbor.encode([1, bytes(8), None, record]))
    _refused(uplink.decode_state, cbor.encode([1, bytes(8), None, HEALTH[:7]]))


def test_birth_reads_back() -> None:
    data = uplink.encode_birth(BIRTH)
    assert uplink.decode_birth(data) == BIRTH
    _refused_at_every_length(uplink.decode_birth, data)


def test_births_in_another_form_are_refused() -> None:
    for key, value in (
        ("boot", -1),
        ("clk", "X"),
        ("clk", None),
        ("devices", {}),
        ("eui64", b"\x00" * 7),
        ("fw", ""),
        ("fw", "x" * 65),
        ("interval_ms", 1 << 32),
        ("platform", 5),
        ("protect", "none"),
        ("protect", []),
        ("seq", "1"),
        ("site", "Demo"),
        ("site", ""),
        ("site", "x" * 33),
        ("time_ms", -5),
    ):
        changed = dict(BIRTH)
        changed[key] = value
        _refused(uplink.decode_birth, cbor.encode(changed))
    more = dict(BIRTH)
    more["zzz"] = 1
    _refused(uplink.decode_birth, cbor.encode(more))
    other = dict(BIRTH)
    del other["boot"]
    other["Boot"] = 1
    _refused(uplink.decode_birth, cbor.encode(other))
    _refused(uplink.decode_birth, cbor.encode({1: 2, "a": 3}))
    _refused(uplink.decode_birth, b"\x00" * (uplink.BIRTH_BYTES_MAX + 1))


def test_devices_of_a_birth_are_checked() -> None:
    devices = BIRTH["devices"]
    assert isinstance(devices, list)
    for key, value in (
        ("ct", [1]),
        ("ct", [0, 1]),
        ("vt", [1, -1]),
        ("d", 0),
        ("d", 33),
        ("digest", NONCE),
        ("orient", 0),
        ("orient", True),
        ("profile", None),
        ("q", ["x"]),
        ("q", "ei"),
        ("unit", 248),
    ):
        device = dict(devices[0])
        device[key] = value
        changed = dict(BIRTH)
        changed["devices"] = [device]
        _refused(uplink.decode_birth, cbor.encode(changed))


def test_proof_reads_back() -> None:
    data = uplink.encode_proof(b"\x01" * 8, KEY, KEY, KEY, 5, "file")
    assert uplink.decode_proof(data) == (b"\x01" * 8, KEY, KEY, KEY, 5, "file")
    _refused_at_every_length(uplink.decode_proof, data)
    for proof in (
        [b"\x01" * 8, KEY, KEY, KEY, 0, "file"],
        [b"\x01" * 8, KEY, KEY, KEY[:64], 1, "file"],
        [b"\x01" * 8, KEY, KEY, KEY, 1, "none"],
        [b"\x01" * 7, KEY, KEY, KEY, 1, "file"],
    ):
        _refused(uplink.decode_proof, cbor.encode(proof))


def test_topics_read_back() -> None:
    meter = topics.meter_id(b"\x00\x01\x02\x03\xfc\xfd\xfe\xff")
    assert meter == "00010203fcfdfeff"
    name = topics.topic("substation-7", meter, topics.SAMPLE)
    assert name == "wattle/1/substation-7/00010203fcfdfeff/sample"
    assert topics.parse(name) == ("substation-7", meter, "sample")
    assert topics.kid_of_meter(meter) == b"\x00\x01\x02\x03\xfc\xfd\xfe\xff"


def test_other_topics_are_refused() -> None:
    for name in (
        "",
        "wattle/1/site/00010203fcfdfeff",
        "wattle/2/site/00010203fcfdfeff/sample",
        "wattle/1/site/00010203fcfdfeff/other",
        "wattle/1/Site/00010203fcfdfeff/sample",
        "wattle/1//00010203fcfdfeff/sample",
        "wattle/1/site/00010203FCFDFEFF/sample",
        "wattle/1/site/00010203fcfdfef/sample",
        "wattle/1/site/00010203fcfdfeff/sample/more",
        "/wattle/1/site/00010203fcfdfeff/sample",
        "wattle/1/" + "x" * 33 + "/00010203fcfdfeff/sample",
    ):
        _refused(topics.parse, name)
