"""Profiles and read plans: what is refused says which file, which key and what was expected."""

import json

from wattle_meter import profile, read_plan
from wattle_meter.line import Line

REGISTER = {"address": "0x0048", "type": "float32", "factor10": 3}
MINIMAL = {
    "format": 1,
    "name": "test",
    "function": 4,
    "word_order": "high_first",
    "registers_per_read": 80,
    "answer_ms": 40,
    "answer_timeout_ms": 300,
    "pause_ms": 100,
    "line": {"baud": 9600, "parity": "N", "stop_bits": 1},
    "registers": {"ei": REGISTER},
}


def changed(key, value):
    """MINIMAL with the value at the dotted `key` replaced (None: removed)."""
    top = json.loads(json.dumps(MINIMAL))
    table = top
    parts = key.split(".")
    for part in parts[:-1]:
        table = table[part]
    table[parts[-1]] = value
    if value is None:
        del table[parts[-1]]
    return json.dumps(top).encode()


def parsed(registers, readable=(), registers_per_read=80):
    top = dict(MINIMAL)
    top["registers"] = {}
    for name, address in registers.items():
        row = {"address": "0x%04x" % address, "type": "float32", "factor10": 0}
        top["registers"][name] = row
    top["readable"] = [["0x%04x" % end for end in pair] for pair in readable]
    top["registers_per_read"] = registers_per_read
    return profile.parse(json.dumps(top).encode(), "test.json")


def plan(device, quantities):
    return [
        (read.address, read.count, [field[:2] for field in read.fields])
        for read in read_plan.plan_reads(device, quantities)
    ]


def refusal(data):
    try:
        profile.parse(data, "test.json")
    except profile.ProfileError as error:
        return str(error)
    raise AssertionError("accepted: %r" % data)


def test_minimal_profile():
    device = profile.parse(json.dumps(MINIMAL).encode(), "test.json")
    assert device.name == "test"
    assert not device.low_first
    assert device.registers == {"ei": (0x48, "float32", 3)}
    assert device.readable == []
    assert (device.line.baud, device.line.parity, device.line.stop_bits) == (9600, "N", 1)


def test_exponent_leads_to_the_integer_of_the_wire():
    device = parsed({"u": 0, "i": 2, "f": 4, "ee": 6})
    assert [device.registers[name][2] for name in ("u", "i", "f", "ee")] == [1, 3, 2, 0]


def test_a_wrong_key_is_named_with_file_and_expectation():
    for key, value, expected in (
        ("format", 2, "an integer 1..1"),
        ("name", "SDM 120", "characters a-z 0-9 -"),
        ("name", "", "characters a-z 0-9 -"),
        ("name", 7, "a text"),
        ("function", 6, "an integer 3..4"),
        ("function", True, "an integer 3..4"),
        ("word_order", "big", "one of high_first, low_first"),
        ("registers_per_read", 126, "an integer 1..125"),
        ("registers_per_read", None, "an integer 1..125"),
        ("answer_ms", -1, "an integer 0..10000"),
        ("answer_timeout_ms", 0, "an integer 1..10000"),
        ("pause_ms", "100", "an integer 0..10000"),
        ("line.baud", 0, "an integer 300..1000000"),
        ("line.parity", "X", "one of N, E, O"),
        ("line.stop_bits", 3, "an integer 1..2"),
        ("registers.ei.address", "48", '"0x" and four hex digits'),
        ("registers.ei.address", "0x00zz", '"0x" and four hex digits'),
        ("registers.ei.address", 72, '"0x" and four hex digits'),
        ("registers.ei.type", "float64", "one of float32, int16"),
        ("registers.ei.factor10", 7, "an integer -6..6"),
    ):
        message = refusal(changed(key, value))
        assert message.startswith("test.json: " + key + ": "), message
        assert "expected " + expected in message, message


def test_other_shapes_are_refused():
    for data in (b"", b"{", b"[]", b"7", b"\xff\xfe", b'"x"', b"{}"):
        assert refusal(data).startswith("test.json: ")
    assert "line" in refusal(changed("line", 9600))
    assert "at least one" in refusal(changed("registers", {}))
    assert "quantity of the wire" in refusal(changed("registers", {"kwh": REGISTER}))
    assert "readable" in refusal(changed("readable", [["0x0001"]]))
    assert "first <= last" in refusal(changed("readable", [["0x0002", "0x0001"]]))
    assert "readable" in refusal(changed("readable", 7))
    assert "at most 1 words" in refusal(changed("registers_per_read", 1))


def test_neighbours_are_read_together_and_energy_first():
    device = parsed({"u": 0, "i": 2, "p": 4, "ei": 0x48, "ee": 0x4A, "f": 0x46})
    assert plan(device, ["p", "u", "i", "f", "ee", "ei"]) == [
        (0x46, 6, [("f", 0), ("ei", 2), ("ee", 4)]),
        (0, 6, [("u", 0), ("i", 2), ("p", 4)]),
    ]


def test_a_hole_is_crossed_only_where_the_profile_says_so():
    registers = {"u": 0, "p": 12}
    apart = [(0, 2, [("u", 0)]), (12, 2, [("p", 0)])]
    together = [(0, 14, [("u", 0), ("p", 12)])]
    assert plan(parsed(registers), ["u", "p"]) == apart
    assert plan(parsed(registers, [(0, 20)]), ["u", "p"]) == together
    assert plan(parsed(registers, [(2, 11)]), ["u", "p"]) == together
    assert plan(parsed(registers, [(3, 20)]), ["u", "p"]) == apart
    assert plan(parsed(registers, [(0, 10)]), ["u", "p"]) == apart
    assert plan(parsed(registers, [(0, 6), (7, 20)]), ["u", "p"]) == apart


def test_a_read_never_exceeds_what_the_device_answers():
    registers = {"u1": 0, "u2": 2, "u3": 4}
    device = parsed(registers, [(0, 5)], 4)
    assert plan(device, ["u1", "u2", "u3"]) == [
        (0, 4, [("u1", 0), ("u2", 2)]),
        (4, 2, [("u3", 0)]),
    ]


def test_wrong_quantities_are_refused():
    device = parsed({"u": 0})
    for quantities in (["p"], ["u", "u"]):
        try:
            read_plan.plan_reads(device, quantities)
        except read_plan.PlanError as error:
            assert repr(quantities[0]) in str(error)
        else:
            raise AssertionError("accepted")


def test_line_times():
    line = Line(9600, "N", 1)
    assert line.character_us() == 1042
    assert line.silence_ms() == 4  # 3.5 characters of 1.042 ms
    assert line.transfer_ms(8) == 9
    assert Line(9600, "E", 1).character_us() == 1146
    assert Line(19200, "E", 1).silence_ms() == 3
    assert Line(115200, "N", 1).silence_ms() == 2


def test_a_round_must_fit_its_interval():
    device = parsed({"u": 0, "p": 12})
    reads = read_plan.plan_reads(device, ["u", "p"])
    line = Line()
    # each read: 8 + 9 characters of 1.042 ms, twice 4 ms of silence, 40 ms to answer
    assert [read_plan.read_ms(read, device, line) for read in reads] == [66, 66]
    assert read_plan.check_interval([(device, reads)], line, 1000) == 2 * 66 + 2 * 100
    # the pauses of three devices overlap, their line times do not
    assert read_plan.check_interval(3 * [(device, reads)], line, 1000) == 6 * 66
    try:
        read_plan.check_interval([(device, reads)], line, 331)
    except read_plan.PlanError as error:
        assert str(error) == "a round of 1 devices takes 332 ms at 9600 Bd, the interval is 331 ms"
    else:
        raise AssertionError("accepted")
