"""The configuration file: what is wrong is named with key, found and expected."""

import json

from wattle_meter import config
from wattle_meter.fields import FieldError, Fields
from wattle_wire import cose

LINK_PUBLIC = "04" + "ab" * 64
GATEWAY = {"host": "gw.example", "port": 8883, "ca": "ca.der", "link_public": LINK_PUBLIC}
DEVICE = {"d": 1, "profile": "sdm120", "unit": 1}
MINIMAL = {
    "format": 1,
    "site": "substation-7",
    "ledger_id": "00112233445566778899aabbccddeeff",
    "interval_ms": 1000,
    "gateways": [GATEWAY],
    "devices": [DEVICE],
}


def parsed(top):
    return config.parse(json.dumps(top).encode(), "config.json")


def changed(key, value):
    """MINIMAL with the value at the dotted `key` replaced (None: removed)."""
    top = json.loads(json.dumps(MINIMAL))
    table = top
    parts = key.split(".")
    for part in parts[:-1]:
        table = table[int(part)] if part.isdigit() else table.setdefault(part, {})
    table[parts[-1]] = value
    if value is None:
        del table[parts[-1]]
    return top


def refusal(top):
    try:
        parsed(top)
    except FieldError as error:
        return str(error)
    raise AssertionError("accepted: %r" % top)


def test_minimal_configuration():
    made = parsed(MINIMAL)
    assert (made.site, made.interval_ms) == ("substation-7", 1000)
    assert made.ledger_id == bytes.fromhex("00112233445566778899aabbccddeeff")
    assert (made.eui64, made.line, made.outbox_bytes) == (None, None, 1048576)
    gateway = made.gateways[0]
    assert (gateway.host, gateway.port, gateway.ca) == ("gw.example", 8883, "ca.der")
    assert gateway.server_name == "gw.example"
    assert gateway.link_kid == cose.kid_of(bytes.fromhex(LINK_PUBLIC))
    device = made.devices[0]
    assert (device.number, device.unit, device.profile) == (1, 1, "sdm120")
    assert (device.ct, device.vt, device.orient) == ([1, 1], [1, 1], 1)
    assert device.quantities is None
    made.board.done()


def test_everything_given():
    top = changed("eui64", "0102030405060708")
    top["line"] = {"baud": 19200, "parity": "E", "stop_bits": 2}
    top["outbox_bytes"] = 65536
    top["board"] = {"port": "/dev/x"}
    top["devices"] = [
        {"d": 7, "profile": "sdm120", "unit": 3},
        {
            "d": 2,
            "profile": "sdm630",
            "unit": 9,
            "ct": [200, 5],
            "vt": [10000, 100],
            "orient": -1,
            "quantities": ["ei", "p1"],
        },
    ]
    made = parsed(top)
    assert made.eui64 == bytes((1, 2, 3, 4, 5, 6, 7, 8))
    assert (made.line.baud, made.line.parity, made.line.stop_bits) == (19200, "E", 2)
    assert [device.number for device in made.devices] == [2, 7]
    device = made.devices[0]
    assert (device.ct, device.vt, device.orient) == ([200, 5], [10000, 100], -1)
    assert device.quantities == ["ei", "p1"]
    assert made.board.text("port", 10) == "/dev/x"
    made.board.done()


def test_a_wrong_value_is_named_with_key_found_and_expected():
    for key, value, expected in (
        ("format", 2, "an integer 1 to 1"),
        ("site", "Substation", "only a-z, 0-9 and -"),
        ("site", "", "a text of 1 to 32 characters"),
        ("ledger_id", "00", "32 hex digits"),
        ("ledger_id", "zz112233445566778899aabbccddeeff", "32 hex digits"),
        ("interval_ms", 99, "an integer 100 to 3600000"),
        ("interval_ms", None, "an integer 100 to 3600000"),
        ("interval_ms", True, "an integer 100 to 3600000"),
        ("interval_ms", "1000", "an integer 100 to 3600000"),
        ("eui64", "01", "16 hex digits"),
        ("outbox_bytes", 100, "an integer 65536 to 1073741824"),
        ("gateways", [], "a list of 1 to 8"),
        ("gateways", [GATEWAY] * 9, "a list of 1 to 8"),
        ("devices", {}, "a list of 1 to 32"),
        ("line.parity", "X", "one of N, E, O"),
    ):
        top = changed(key, value)
        if key == "line.parity":
            top["line"] = {"baud": 9600, "parity": "X", "stop_bits": 1}
        message = refusal(top)
        assert message.startswith("config.json: " + key + ": "), message
        assert message.endswith("expected " + expected), message


def test_time_servers():
    assert parsed(MINIMAL).time_servers == parsed(changed("sntp", [])).time_servers == []
    assert parsed(changed("sntp", ["a.example", "b.example"])).time_servers == [
        "a.example",
        "b.example",
    ]
    for value, expected in (
        ("a", "a list of 0 to 4"),
        (["a"] * 5, "a list of 0 to 4"),
        (["a", 7], "texts of 1 to 253 characters"),
        ([""], "texts of 1 to 253 characters"),
    ):
        message = refusal(changed("sntp", value))
        assert message.startswith("config.json: sntp: ")
        assert message.endswith("expected " + expected), message


def test_a_wrong_value_in_a_list_is_named_with_its_place():
    for key, value, expected in (
        ("gateways.0.host", 7, "a text of 1 to 253 characters"),
        ("gateways.0.port", 0, "an integer 1 to 65535"),
        ("gateways.0.ca", "../ca.der", "a file name without path"),
        ("gateways.0.link_public", "04", "130 hex digits"),
        ("devices.0.d", 33, "an integer 1 to 32"),
        ("devices.0.unit", 248, "an integer 1 to 247"),
        ("devices.0.profile", "../x", "a file name without path"),
        ("devices.0.ct", [1], "a list of 2 to 2"),
        ("devices.0.ct", [1, 0], "integers 1 to 1000000"),
        ("devices.0.orient", 0, "1 or -1"),
        ("devices.0.quantities", ["kwh"], "names of quantities, each once"),
        ("devices.0.quantities", ["p", "p"], "names of quantities, each once"),
        ("devices.0.quantities", [], "a list of 1 to 25"),
    ):
        message = refusal(changed(key, value))
        place = key.replace(".0.", "[0].")
        assert message.startswith("config.json: " + place + ": "), message
        assert message.endswith("expected " + expected), message


def test_an_unknown_key_is_refused_with_those_that_are_known():
    for key in ("intervall_ms", "gateways.0.hots", "devices.0.units"):
        message = refusal(changed(key, 1))
        assert key.split(".")[-1] + ": unknown key, known are " in message, message
    message = refusal(changed("line", {"baud": 9600, "parity": "N", "stop_bits": 1, "port": 1}))
    assert message.startswith("config.json: line.port: unknown key"), message
    made = parsed(changed("board", {"pott": 1}))
    try:
        made.board.done()
    except FieldError as error:
        assert "config.json: board.pott: unknown key" in str(error)
    else:
        raise AssertionError("accepted")


def test_two_devices_share_neither_number_nor_unit():
    for other in ({"d": 1, "unit": 2}, {"d": 2, "unit": 1}):
        other["profile"] = "sdm120"
        message = refusal(changed("devices", [DEVICE, other]))
        assert "config.json: devices: " in message
        assert "1 stands twice" in message


def test_what_is_no_json_object_is_refused():
    for data in (b"", b"{", b"[]", b"7", b"\xff\xfe", b"null"):
        try:
            config.parse(data, "config.json")
        except FieldError as error:
            assert str(error).startswith("config.json")
        else:
            raise AssertionError(data)


def test_a_long_value_does_not_flood_the_error():
    assert len(refusal(changed("interval_ms", "x" * 5000))) < 150


def test_hold_is_longer_than_two_intervals():
    assert parsed(MINIMAL).hold_ms == 63000
    assert parsed(changed("hold_s", 2)).hold_ms == 2000
    assert "hold_s: 1, expected an integer 2 to 86400" in refusal(changed("hold_s", 1))
    slow = changed("interval_ms", 900000)
    assert parsed(slow).hold_ms == 60000 + 3 * 900000


def test_loads_are_checked():
    row = {"d": 1, "load": "heater", "unit": 9, "rest_w": 0}
    assert parsed(MINIMAL).loads == parsed(changed("loads", [])).loads == []
    (made,) = parsed(changed("loads", [row])).loads
    assert (made.number, made.load, made.unit, made.relay) == (1, "heater", 9, None)
    assert "loads[0].rest_w: nothing" in refusal(changed("loads", [dict(row, rest_w=None)]))
    assert "without path" in refusal(changed("loads", [dict(row, load="../heater")]))
    assert "unknown key" in refusal(changed("loads", [dict(row, ramp=5)]))
    assert "loads" in refusal(changed("loads", {}))
    assert "unit: 0" in refusal(changed("loads", [dict(row, unit=0)]))


KEY = "04" + "ab" * 64


def test_members_are_found_by_their_kid():
    assert parsed(MINIMAL).members == {}
    found = parsed(changed("members", [KEY])).members
    public = bytes.fromhex(KEY)
    assert found == {cose.kid_of(public): public}
    for value in (KEY, [KEY[:-2]], [7], [KEY] * 33):
        assert "members" in refusal(changed("members", value))


def test_an_update_brings_gateways_and_members():
    other = dict(GATEWAY)
    other["host"] = "other.example"
    data = json.dumps(MINIMAL).encode()
    alliance = {"gateways": [other], "members": [KEY]}
    fields = Fields(alliance, "alliance.json:")
    found = config.parse(data, "config.json", fields, "slot1/")
    assert [(row.host, row.ca) for row in found.gateways] == [
        ("other.example", "slot1/" + GATEWAY["ca"])
    ]
    assert len(found.members) == 1
    assert found.site == MINIMAL["site"]
    for broken in ({"members": [KEY]}, {"gateways": [other], "site": "x"}, {"gateways": []}):
        try:
            config.parse(data, "config.json", Fields(broken, "alliance.json:"), "slot1/")
        except FieldError as error:
            assert str(error).startswith("alliance.json: "), str(error)
        else:
            raise AssertionError(broken)
