"""Devices of the configuration and their profiles: what fits, what is said of it at birth."""

import json

from wattle_meter import config
from wattle_meter.fields import FieldError
from wattle_meter.installation import Installation, InstallationError
from wattle_meter.read_plan import PlanError
from wattle_wire import uplink

FIRMWARE = __file__.rpartition("/")[0] + "/../../firmware"


def installed(devices, interval_ms=1000, line=None, speed=1, loads=None):
    """The installation of `devices`, each {"profile", "unit", ..}; their numbers count from 1."""
    rows = [dict(device, d=at + 1) for at, device in enumerate(devices)]
    top = {
        "format": 1,
        "site": "substation-7",
        "ledger_id": "00112233445566778899aabbccddeeff",
        "interval_ms": interval_ms,
        "gateways": [
            {"host": "gw.example", "port": 8883, "ca": "ca.der", "link_public": "04" + "ab" * 64}
        ],
        "devices": rows,
    }
    if loads is not None:
        top["loads"] = loads
    if line is not None:
        top["line"] = line
    settings = config.parse(json.dumps(top).encode(), "config.json")
    return Installation(settings, FIRMWARE, speed)


def refusal(kind, *arguments):
    try:
        installed(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError("accepted")


def test_ratios_and_orientation_stand_in_the_birth():
    made = installed(
        [
            {"profile": "sdm120", "unit": 1},
            {
                "profile": "em340",
                "unit": 7,
                "quantities": ["ei", "p"],
                "ct": [200, 5],
                "vt": [20000, 100],
                "orient": -1,
            },
        ]
    )
    plain, scaled = made.described
    assert (plain["ct"], plain["vt"], plain["orient"]) == ([1, 1], [1, 1], 1)
    assert plain["q"] == ["ee", "ei", "f", "i", "p", "q", "u"]
    assert (scaled["ct"], scaled["vt"], scaled["orient"]) == ([200, 5], [20000, 100], -1)
    assert (scaled["d"], scaled["unit"], scaled["profile"]) == (2, 7, "em340")
    birth = {
        "boot": 1,
        "clk": "U",
        "devices": made.described,
        "eui64": bytes(8),
        "fw": "0",
        "interval_ms": 1000,
        "platform": "test",
        "protect": "file",
        "seq": 1,
        "site": "s",
        "time_ms": 0,
        "version": 0,
    }
    assert uplink.decode_birth(uplink.encode_birth(birth)) == birth


def test_every_family_on_its_own_line():
    for name, words in (
        ("em340", "9600 Bd 8N1"),
        ("iem3155", "19200 Bd 8E1"),
        ("pzem-004t", "9600 Bd 8N1"),
        ("sunspec-201", "9600 Bd 8N1"),
        ("sunspec-203", "9600 Bd 8N1"),
    ):
        made = installed([{"profile": name, "unit": 1}])
        assert made.line.text() == words
        assert made.round_ms <= 1000
        assert (made.devices[0].discovery is not None) == name.startswith("sunspec")


def test_devices_that_cannot_be_read_in_their_interval_are_refused():
    many = [{"profile": "sdm630", "unit": unit} for unit in range(1, 4)]
    message = refusal(PlanError, many)
    assert message == "a round of 3 devices takes 1257 ms at 9600 Bd, the interval is 1000 ms"
    assert installed(many, 1300).round_ms == 1257
    # on a bench the interval is in bench time, the line is not
    assert "the interval is 650 ms" in refusal(PlanError, many, 1300, None, 2)


def test_devices_with_different_lines_need_one_that_is_given():
    both = [{"profile": "sdm120", "unit": 1}, {"profile": "iem3155", "unit": 2}]
    message = refusal(InstallationError, both, 2000)
    assert message.startswith("sdm120 talks at 9600 Bd 8N1, iem3155 at 19200 Bd 8E1: set all")
    line = {"baud": 19200, "parity": "E", "stop_bits": 1}
    assert installed(both, 2000, line).line.text() == "19200 Bd 8E1"


def test_a_quantity_that_a_profile_lacks_is_refused():
    row = {"profile": "pzem-004t", "unit": 1, "quantities": ["ei", "ee"]}
    assert refusal(PlanError, [row]) == "pzem-004t has no quantity 'ee'"


def test_a_profile_that_is_not_there_is_named():
    message = refusal(OSError, [{"profile": "unknown", "unit": 1}])
    assert "unknown.json" in message


def test_a_line_that_is_none_is_refused():
    line = {"baud": 9600, "parity": "N", "stop_bits": 3}
    message = refusal(FieldError, [{"profile": "sdm120", "unit": 1}], 1000, line)
    assert message == "config.json: line.stop_bits: 3, expected an integer 1 to 2"


def load_refusal(kind=FieldError, devices=None, **row):
    devices = devices or [{"profile": "sdm120", "unit": 1}]
    row = dict({"d": 1, "load": "bench-load", "rest_w": 0}, **row)
    try:
        installed(devices, loads=[row])
    except kind as error:
        return str(error)
    raise AssertionError("accepted")


def test_loads_of_the_configuration():
    devices = [{"profile": "sdm120", "unit": 1}, {"profile": "sdm120", "unit": 2}]
    rows = [
        {"d": 2, "load": "bench-load", "unit": 9, "rest_w": 500, "min_w": 100, "max_w": 900},
        {"d": 1, "load": "relay-2kw", "relay": 0, "rest_w": 2000},
    ]
    made = installed(devices, loads=rows)
    (first, second) = made.loads
    assert (first[0].number, first[0].unit, first[1].function, first[2:]) == (2, 9, 6, (100, 900))
    assert (second[0].relay, second[1].function, second[2:]) == (0, 0, (0, 2000))
    alone = installed(devices)
    assert alone.loads == []
    assert alone.slots[-1].end_ms == 1000
    assert made.round_ms > alone.round_ms
    assert made.slots[-1].end_ms < 1000 - made.lateness_ms


def test_a_load_has_a_unit_or_a_relay_as_its_type_says():
    for row in ({}, {"relay": 0}, {"relay": 0, "unit": 9}):
        assert "unit or relay" in load_refusal(**row)
        assert "unit or relay" in load_refusal(load="relay-2kw", unit=9)


def test_own_limits_lie_within_those_of_the_type():
    assert "within 0 to 10000" in load_refusal(unit=9, max_w=10010)
    assert "within 0 to 10000" in load_refusal(unit=9, min_w=-10)
    assert "within 0 to 10000" in load_refusal(unit=9, min_w=500, max_w=400, rest_w=450)
    assert "multiple of 10 W" in load_refusal(unit=9, max_w=2005)
    assert "a setpoint 100 to 10000" in load_refusal(unit=9, min_w=100)
    assert "0 in it" in load_refusal(load="relay-2kw", relay=0, min_w=100, rest_w=100)


def test_a_load_belongs_to_one_device_that_is_there():
    assert "not 2" in load_refusal(d=2, unit=9)
    row = {"d": 1, "load": "bench-load", "unit": 9, "rest_w": 0}
    try:
        installed([{"profile": "sdm120", "unit": 1}], loads=[row, row])
    except FieldError as error:
        assert "each d once" in str(error)
    else:
        raise AssertionError("accepted")


def test_a_load_talks_like_the_devices_of_its_line():
    devices = [{"profile": "iem3155", "unit": 1}]
    assert "bench-load at 9600 Bd" in load_refusal(InstallationError, devices, unit=9)
