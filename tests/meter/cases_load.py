"""Files that describe adjustable loads: what is refused, and what registers are told."""

import json

from wattle_meter import load
from wattle_meter.fields import FieldError
from wattle_meter.line import Line

MINIMAL = {
    "format": 1,
    "name": "heater",
    "min_w": 0,
    "max_w": 3000,
    "setpoint": {"function": 6, "address": "0x0010", "type": "uint16", "factor10": 0},
    "answer_ms": 20,
    "answer_timeout_ms": 200,
    "pause_ms": 0,
    "line": {"baud": 9600, "parity": "N", "stop_bits": 1},
}


def parsed(**changes):
    """MINIMAL with other top-level keys (None: without); `setpoint` is merged."""
    top = json.loads(json.dumps(MINIMAL))
    for key, value in changes.items():
        if key == "setpoint" and value is not None:
            top[key].update(value)
        elif value is None:
            del top[key]
        else:
            top[key] = value
    return load.parse(json.dumps(top).encode(), "heater.json")


def refusal(**changes):
    try:
        parsed(**changes)
    except FieldError as error:
        return str(error)
    raise AssertionError("accepted")


def test_a_setpoint_keeps_to_range_and_never_beyond_what_was_asked():
    kind = parsed(setpoint={"factor10": 2})
    rows = [(1250, 1200), (-5, 0), (99, 0), (3001, 3000), (10**18, 3000), (-(10**18), 0)]
    for asked, allowed in rows:
        assert kind.allowed(asked, 0, 3000) == allowed
    battery = parsed(min_w=-3000, setpoint={"factor10": 2, "type": "int16"})
    assert battery.allowed(-1250, -3000, 3000) == -1200
    assert battery.allowed(5000, -3000, -1000) == -1000


def test_a_charger_takes_nothing_or_at_least_its_least():
    kind = parsed(least_w=1380)
    assert [kind.allowed(watts, 0, 3000) for watts in (1379, 1380, 2000)] == [0, 1380, 2000]
    assert "with 0 in it" in refusal(least_w=1380, min_w=100)


def test_a_relay_is_on_or_off():
    absent = dict.fromkeys(("min_w", "max_w", "answer_ms", "answer_timeout_ms", "pause_ms", "line"))
    kind = parsed(relay_w=2000, setpoint=None, **absent)
    assert kind.function == 0
    assert [kind.allowed(watts, 0, 2000) for watts in (-1, 1999, 2000, 9000)] == [0, 0, 2000, 2000]
    assert "unknown key" in refusal(relay_w=2000)


def test_words_of_a_setpoint():
    rows = [
        ({"type": "uint16", "factor10": 1}, 1230, [123]),
        ({"type": "uint16", "factor10": -1}, 123, [1230]),
        ({"type": "int16", "sign": -1}, 123, [0xFF85]),
        ({"type": "int32", "function": 16}, -2, [0xFFFF, 0xFFFE]),
        ({"type": "int32", "function": 16}, 70000, [1, 4464]),
        ({"type": "int32", "function": 16, "word_order": "low_first"}, 70000, [4464, 1]),
        ({"type": "int64", "function": 16}, -70000, [0xFFFF, 0xFFFF, 0xFFFE, 0xEE90]),
        ({"type": "float32", "function": 16, "factor10": 3}, 1500, [0x3FC0, 0]),
        ({"type": "float32", "function": 16}, -2, [0xC000, 0]),
    ]
    for changes, watts, words in rows:
        low = 0 if changes["type"][0] == "u" else -100
        low = 0 if changes.get("sign") == -1 else low
        kind = parsed(min_w=low, setpoint=changes)
        assert kind.words(watts) == words, (changes, kind.words(watts))


def test_what_no_register_can_be_told_is_refused():
    assert "one that holds" in refusal(max_w=70000)
    assert "one that holds" in refusal(min_w=-1)
    assert "one that holds" in refusal(max_w=7000, setpoint={"factor10": -1})
    assert "one that holds" in refusal(max_w=40000, setpoint={"sign": -1, "type": "int16"})
    parsed(max_w=65535)
    assert "multiple of 100 W" in refusal(max_w=3050, setpoint={"factor10": 2})
    assert "6 or 16" in refusal(setpoint={"function": 7})
    assert "16 for a type of 2" in refusal(setpoint={"type": "int32"})
    assert "below 0x10000" in refusal(
        setpoint={"type": "int32", "function": 16, "address": "0xffff"}
    )
    assert "1 or -1" in refusal(setpoint={"sign": 0})
    assert "at least 0" in refusal(setpoint={"type": "float32", "function": 16, "factor10": -1})
    assert "unknown key" in refusal(rampe=5)
    assert "max_w" in refusal(max_w=-1)
    assert "answer_timeout_ms" in refusal(answer_timeout_ms=19)


def test_files_that_are_no_load():
    for data in (b"", b"[]", b"{}", b"\xff"):
        try:
            load.parse(data, "x.json")
        except FieldError as error:
            assert str(error).startswith("x.json:")
        else:
            raise AssertionError(data)


def test_the_time_of_a_write():
    # 8 + 2 words more + 8 of the answer at 9600 Bd, two silences, the usual answer time
    assert parsed().write_ms(Line()) == 20 + 2 * 4 + 20
    two = {"type": "int32", "function": 16}
    assert parsed(setpoint=two).write_ms(Line()) == 22 + 2 * 4 + 20
