"""Each emulated family over a real pty, read by a stock Modbus client that knows no profile.

Addresses and units are those of the makers' lists, written here a third time.
"""

from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusSerialClient
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.line import Line
from wattle_hil.devices.registers import Integer

T0_MS = 1_170_288_000_000
AT_MS = T0_MS + 3_600_000
_END_MS = T0_MS + 7_200_000
# An hour at 4.6 kW and 2.3 kvar, then the instant that is read.
CURVE = Curve(
    "steady",
    3_600_000,
    StepSeries([T0_MS], [4_600 * UW_PER_W], _END_MS),
    StepSeries([T0_MS], [2_300 * UW_PER_W], _END_MS),
    StepSeries([T0_MS], [230_000], _END_MS),
)
UNITS = {name: number for number, name in enumerate(sorted(FAMILIES), 1)}
# name: [(function, address, words, type, low word first, factor, expected value)]
ROWS = {
    "em340": [
        (4, 0x0000, 2, "INT32", True, 0.1, 230.0),
        (3, 0x0000, 2, "INT32", True, 0.1, 230.0),
        (4, 0x0012, 2, "INT32", True, 0.1, 1_536.4),
        (4, 0x0028, 2, "INT32", True, 0.1, 4_600.0),
        (4, 0x002C, 2, "INT32", True, 0.1, 2_300.0),
        (4, 0x0033, 1, "INT16", True, 0.1, 50.0),
        (4, 0x0034, 2, "INT32", True, 0.1, 4.6),
        (4, 0x004E, 2, "INT32", True, 0.1, 0.0),
    ],
    "iem3155": [
        (3, 0x0BD3, 2, "FLOAT32", False, 1, 230.0),
        (3, 0x0BED, 2, "FLOAT32", False, 1, 1.5364),
        (3, 0x0BF3, 2, "FLOAT32", False, 1, 4.6),
        (3, 0x0BFB, 2, "FLOAT32", False, 1, 2.3),
        (3, 0x0C25, 2, "FLOAT32", False, 1, 50.0),
        (3, 0x0C83, 4, "INT64", False, 1, 4_600),
        (3, 0x0C87, 4, "INT64", False, 1, 0),
        (3, 0x0DBD, 4, "INT64", False, 1, 1_536),
        (3, 0xB02B, 2, "FLOAT32", False, 1, 4_600),
    ],
    "pzem-004t": [
        (4, 0x0000, 1, "UINT16", False, 0.1, 230.0),
        (4, 0x0001, 2, "UINT32", True, 0.001, 22.361),
        (4, 0x0003, 2, "UINT32", True, 0.1, 4_600.0),
        (4, 0x0005, 2, "UINT32", True, 1, 4_600),
        (4, 0x0007, 1, "UINT16", False, 0.1, 50.0),
        (4, 0x0008, 1, "UINT16", False, 0.01, 0.89),
        (4, 0x0009, 1, "UINT16", False, 1, 0),
    ],
    "sdm120": [
        (4, 0x0000, 2, "FLOAT32", False, 1, 230.0),
        (4, 0x000C, 2, "FLOAT32", False, 1, 4_600.0),
        (4, 0x0048, 2, "FLOAT32", False, 1, 4.6),
        (3, 0x0014, 2, "FLOAT32", False, 1, UNITS["sdm120"]),
    ],
    "sdm630": [
        (4, 0x0002, 2, "FLOAT32", False, 1, 230.0),
        (4, 0x0034, 2, "FLOAT32", False, 1, 4_600.0),
        (4, 0x015A, 2, "FLOAT32", False, 1, 1.536),
    ],
    "sunspec-201": [
        (3, 40_000, 2, "UINT32", False, 1, 0x53756E53),
        (3, 40_070, 1, "UINT16", False, 1, 201),
        (3, 40_071, 1, "UINT16", False, 1, 105),
        (3, 40_070 + 18, 1, "INT16", False, 10, 4_600),
        (3, 40_070 + 22, 1, "INT16", False, 1, 1),
        (3, 40_070 + 46, 2, "UINT32", False, 1, 4_600),
        (3, 40_070 + 107, 1, "UINT16", False, 1, 0xFFFF),
    ],
    "sunspec-203": [
        (3, 40_070, 1, "UINT16", False, 1, 203),
        (3, 40_070 + 7, 1, "INT16", False, 0.1, 230.0),
        (3, 40_070 + 12, 1, "UINT16", False, 1, 0x8000),
        (3, 40_070 + 19, 1, "INT16", False, 10, 1_540),
        (3, 40_070 + 46, 2, "UINT32", False, 1, 4_600),
        (3, 40_070 + 48, 2, "UINT32", False, 1, 1_536),
    ],
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModbusSerialClient]:
    """All families on one line, each under its own unit."""
    port = tmp_path_factory.mktemp("families") / "line"
    devices = [EmulatedDevice(unit, FAMILIES[name], CURVE) for name, unit in UNITS.items()]
    with Line(port, devices, lambda: AT_MS):
        client = ModbusSerialClient(str(port), baudrate=9_600, timeout=3)
        assert client.connect()
        yield client
        client.close()


@pytest.mark.parametrize(
    ("name", "row"), [(name, row) for name, rows in ROWS.items() for row in rows]
)
def test_a_stock_client_reads_what_the_curve_says(
    client: ModbusSerialClient,
    name: str,
    row: tuple[int, int, int, str, bool, float, float],
) -> None:
    function, address, words, kind, low_first, factor, expected = row
    read = client.read_holding_registers if function == 3 else client.read_input_registers
    answer = read(address, count=words, device_id=UNITS[name])
    assert not answer.isError(), answer
    order = "little" if low_first else "big"
    value = client.convert_from_registers(answer.registers, client.DATATYPE[kind], word_order=order)
    assert value * factor == pytest.approx(expected, rel=1e-6, abs=factor / 100)


@pytest.mark.parametrize(
    ("name", "function", "address", "count", "code"),
    [
        ("em340", 4, 0x0000, 51, 3),
        ("em340", 4, 0x0001, 2, 2),
        ("em340", 4, 0x0032, 1, 2),
        ("iem3155", 4, 0x0BD3, 2, 1),
        ("iem3155", 3, 0x0BBD, 2, 2),
        ("pzem-004t", 4, 0x0000, 11, 3),
        ("pzem-004t", 3, 0x0001, 1, 1),
        ("sdm630", 4, 0x0000, 81, 3),
        ("sunspec-203", 3, 39_999, 2, 2),
        ("sunspec-203", 4, 40_000, 2, 1),
    ],
)
def test_what_a_family_does_not_answer_it_refuses(
    client: ModbusSerialClient, name: str, function: int, address: int, count: int, code: int
) -> None:
    read = client.read_holding_registers if function == 3 else client.read_input_registers
    answer = read(address, count=count, device_id=UNITS[name])
    assert answer.isError()
    assert answer.exception_code == code


def test_the_answer_of_a_real_pzem_is_what_the_cells_make_of_its_values() -> None:
    """Peacefair's own example, with an alarm that stands at 0."""
    shown = {
        "u_l1_v": 225.9,
        "i_l1_a": 0.035,
        "p_absolute_w": 0.5,
        "e_wh": 2,
        "f_hz": 50.1,
        "pf_absolute": 0.06,
    }
    data = FAMILIES["pzem-004t"].tables[4].read(0, 10, shown)
    assert data.hex() == "08d3002300000005000000020000" + "01f500060000"


def test_a_negative_value_is_a_complement_in_the_order_of_the_words() -> None:
    assert Integer("p_w", -1, 2, low_first=True).encode({"p_w": -2.0}).hex() == "ffecffff"
    assert Integer("p_w", 1).encode({"p_w": -30.0}).hex() == "fffd"
    assert Integer("ei_wh", 2, 2).encode({"ei_wh": 399}).hex() == "00000003"
