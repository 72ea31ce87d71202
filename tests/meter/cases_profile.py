"""Profiles and read plans: what is refused says which file, which key and what was expected."""

import json

from wattle_meter import profile, read_plan
from wattle_meter.fields import FieldError
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
        (
            read.address,
            read.count,
            [(name, register.address - read.address) for name, register in read.fields],
        )
        for read in read_plan.plan_reads(device, quantities)
    ]


def refusal(data):
    try:
        profile.parse(data, "test.json")
    except FieldError as error:
        return str(error)
    raise AssertionError("accepted: %r" % data)


def test_minimal_profile():
    device = profile.parse(json.dumps(MINIMAL).encode(), "test.json")
    assert device.name == "test"
    assert not device.low_first
    assert list(device.registers) == ["ei"]
    found = device.registers["ei"]
    assert (found.address, found.type_name, found.exponent10) == (0x48, "float32", 3)
    assert (found.scale_at, found.absent, found.wraps_at) == (None, None, None)
    assert (device.models, device.bases) == ([], [])
    assert device.readable == []
    assert (device.line.baud, device.line.parity, device.line.stop_bits) == (9600, "N", 1)


def test_exponent_leads_to_the_integer_of_the_wire():
    device = parsed({"u": 0, "i": 2, "f": 4, "ee": 6})
    assert [device.registers[name].exponent10 for name in ("u", "i", "f", "ee")] == [1, 3, 2, 0]


def test_a_wrong_key_is_named_with_file_and_expectation():
    for key, value, expected in (
        ("format", 2, "an integer 1 to 1"),
        ("name", "SDM 120", "characters a-z 0-9 -"),
        ("name", "", "a text of 1 to 64 characters"),
        ("name", 7, "a text of 1 to 64 characters"),
        ("function", 6, "an integer 3 to 4"),
        ("function", True, "an integer 3 to 4"),
        ("word_order", "big", "one of high_first, low_first"),
        ("registers_per_read", 126, "an integer 1 to 125"),
        ("registers_per_read", None, "an integer 1 to 125"),
        ("answer_ms", -1, "an integer 0 to 10000"),
        ("answer_timeout_ms", 0, "an integer 1 to 10000"),
        ("pause_ms", "100", "an integer 0 to 10000"),
        ("line.baud", 0, "an integer 300 to 1000000"),
        ("line.parity", "X", "one of N, E, O"),
        ("line.stop_bits", 3, "an integer 1 to 2"),
        ("answer_timeout_ms", 39, "at least answer_ms"),
        ("registers.ei.address", "48", 'hex digits as in "0x00c8", at most 0xffff'),
        ("registers.ei.address", "0x00zz", 'hex digits as in "0x00c8", at most 0xffff'),
        ("registers.ei.address", "0x10000", 'hex digits as in "0x00c8", at most 0xffff'),
        ("registers.ei.address", "0xffff", "all its words below 0x10000"),
        ("registers.ei.address", 72, 'hex digits as in "0x00c8", at most 0xffff'),
        ("registers.ei.absent", "0x100000000", "at most 0xffffffff"),
        ("registers.ei.absent", "-0x1", "hex digits"),
        ("registers.ei.wraps_at", 0, "an integer 1 to 4611686018427387904"),
        ("registers.ei.scale_at", "0x004a", "one readable range for value and scale"),
        ("registers.ei.type", "float64", "one of float32, int16"),
        ("registers.ei.factor10", 7, "an integer -6 to 6"),
    ):
        message = refusal(changed(key, value))
        assert message.startswith("test.json: " + key + ": "), message
        assert "expected " in message, message
        assert expected in message, message


def test_other_shapes_are_refused():
    for data in (b"", b"{", b"[]", b"7", b"\xff\xfe", b'"x"', b"{}"):
        assert refusal(data).startswith("test.json: ")
    assert "line" in refusal(changed("line", 9600))
    assert "at least one" in refusal(changed("registers", {}))
    assert "quantity of the wire" in refusal(changed("registers", {"kwh": REGISTER}))
    for ranges in ([["0x0001"]], [["0x0002", "0x0001"]], [[1, 2]], [["0x0", "0x10000"]], [7], 7):
        assert "test.json: readable: " in refusal(changed("readable", ranges))
    assert "at most 1 words" in refusal(changed("registers_per_read", 1))
    assert "at most 80 words" in refusal(changed("registers.ei.scale_at", "0x0100"))


def test_a_misspelt_key_is_no_default():
    assert refusal(changed("readible", [])).startswith(
        "test.json: readible: unknown key, known are"
    )
    message = refusal(changed("registers.ei.wrap_at", 10))
    assert message.startswith("test.json: registers.ei.wrap_at: unknown key"), message
    assert "line.bits: unknown key" in refusal(changed("line.bits", 8))


def test_models_of_sunspec():
    for value in (7, {}, {"models": [], "bases": [0]}, {"models": [201], "bases": [65533]}):
        assert "test.json: sunspec" in refusal(changed("sunspec", value)), value
    data = changed("sunspec", {"models": [201, 203], "bases": [40000, 0]})
    device = profile.parse(data, "test.json")
    assert (device.models, device.bases) == ([201, 203], [40000, 0])


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


def scaled(registers, readable):
    top = dict(MINIMAL)
    top["registers"] = registers
    top["readable"] = readable
    return profile.parse(json.dumps(top).encode(), "test.json")


def test_a_value_and_its_scale_are_read_at_once():
    row = {"type": "int16", "factor10": 0}
    registers = {
        "i": dict(row, address="0x0002", scale_at="0x0006"),
        "u": dict(row, address="0x0007", scale_at="0x000f"),
    }
    device = scaled(registers, [["0x0000", "0x0010"]])
    assert plan(device, ["u", "i"]) == [(2, 14, [("i", 0), ("u", 5)])]
    device.registers_per_read = 9
    assert plan(device, ["u", "i"]) == [(2, 5, [("i", 0)]), (7, 9, [("u", 0)])]


def test_values_with_scale_and_without():
    row = {"type": "int16", "factor10": 0, "absent": "0x8000"}
    registers = {
        "f": dict(row, address="0x0000", scale_at="0x0001"),
        "p": dict(row, address="0x0002", scale_at="0x0003"),
        "q": dict(row, address="0x0004", scale_at="0x0003"),
        "u": dict(row, address="0x0005", scale_at="0x0006"),
    }
    device = scaled(registers, [["0x0000", "0x0010"]])
    (read,) = read_plan.plan_reads(device, sorted(registers))
    words = [5001, 0xFFFE, 0xFFFB, 1, 0x8000, 230, 0x8000]
    assert read.values(words, False) == {"f": 5001, "p": -500, "q": "N", "u": 2300}
    words[1] = 11
    assert read.values(words, False)["f"] == "O"
    words[1] = 0xFFF5
    assert read.values(words, False)["f"] == "O"


def slots_of(devices, interval_ms):
    slots, _ = read_plan.plan_round(devices, Line(), interval_ms)
    return [(slot.index, slot.turn, slot.start_ms, slot.end_ms) for slot in slots]


def test_a_round_must_fit_its_interval():
    device = parsed({"u": 0, "p": 12})
    reads = read_plan.plan_reads(device, ["u", "p"])
    line = Line()
    # each read: 8 + 9 characters of 1.042 ms, twice 4 ms of silence, 40 ms to answer
    assert [read_plan.read_ms(read, device, line) for read in reads] == [66, 66]
    assert read_plan.plan_round([(device, reads)], line, 1000)[1] == 2 * 66 + 2 * 100
    # the pauses of three devices overlap, their line times do not
    assert read_plan.plan_round(3 * [(device, reads)], line, 1000)[1] == 6 * 66
    try:
        read_plan.plan_round([(device, reads)], line, 331)
    except read_plan.PlanError as error:
        assert str(error) == "a round of 1 devices takes 332 ms at 9600 Bd, the interval is 331 ms"
    else:
        raise AssertionError("accepted")


def test_slots_share_the_time_that_is_left():
    device = parsed({"u": 0, "p": 12})
    reads = read_plan.plan_reads(device, ["u", "p"])
    # 396 of 500 ms are needed: 17 ms more for each of six
    assert slots_of(3 * [(device, reads)], 1000) == [
        (0, 0, 0, 83),
        (1, 0, 83, 166),
        (2, 0, 166, 249),
        (0, 1, 249, 332),
        (1, 1, 332, 415),
        (2, 1, 415, 1000),
    ]
    # a round that needs more than half of its interval may use all of it
    assert slots_of(3 * [(device, reads)], 700)[1][2] == 66 + (700 - 396) // 6
    # a slot never holds more than the time-out: 300 ms instead of the usual 40
    assert slots_of([(device, reads)], 60000) == [(0, 0, 0, 426), (0, 1, 426, 60000)]


def test_a_device_has_its_pause_between_its_slots():
    device = parsed({"u": 0, "p": 12})
    reads = read_plan.plan_reads(device, ["u", "p"])
    assert slots_of([(device, reads)], 332) == [(0, 0, 0, 166), (0, 1, 166, 332)]
