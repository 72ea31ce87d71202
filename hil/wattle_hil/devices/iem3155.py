"""Schneider iEM3155 as data: function 3, singles in kW beside 64-bit counters in Wh.

Source: volkszaehler/mbmd iem3000.go; Schneider's list numbers are these addresses + 1. Windows
hold only documented values, none of the registers between them. Left out: power factor (a code of
four quadrants), identification, date.
"""

from collections.abc import Mapping

from wattle_hil.devices.model import Model
from wattle_hil.devices.registers import Cell, Integer, RegisterMap, Single

_SINGLES = {
    0x0BB7: ("i_l1_a", 1),
    0x0BB9: ("i_l2_a", 1),
    0x0BBB: ("i_l3_a", 1),
    0x0BC1: ("i_mean_a", 1),
    0x0BD3: ("u_l1_v", 1),
    0x0BD5: ("u_l2_v", 1),
    0x0BD7: ("u_l3_v", 1),
    0x0BDB: ("u_mean_v", 1),
    0x0BED: ("p_l1_w", 1_000),
    0x0BEF: ("p_l2_w", 1_000),
    0x0BF1: ("p_l3_w", 1_000),
    0x0BF3: ("p_w", 1_000),
    0x0BFB: ("q_var", 1_000),
    0x0C03: ("s_va", 1_000),
    0x0C25: ("f_hz", 1),
    0xB02B: ("ei_wh", 1),
    0xB02D: ("ee_wh", 1),
    0xB02F: ("eri_varh", 1),
    0xB031: ("ere_varh", 1),
}
_COUNTERS = {
    0x0C83: "ei_wh",
    0x0C87: "ee_wh",
    0x0C93: "eri_varh",
    0x0C97: "ere_varh",
    0x0DBD: "ei_l1_wh",
    0x0DC1: "ei_l2_wh",
    0x0DC5: "ei_l3_wh",
}
_CELLS: Mapping[int, Cell] = {
    **{address: Single(name, per) for address, (name, per) in _SINGLES.items()},
    **{address: Integer(name, 0, 4) for address, name in _COUNTERS.items()},
}

IEM3155 = Model(
    name="iEM3155",
    phases=3,
    tables={
        3: RegisterMap(
            (
                range(0x0BB7, 0x0BBD),
                range(0x0BC1, 0x0BC3),
                range(0x0BD3, 0x0BD9),
                range(0x0BDB, 0x0BDD),
                range(0x0BED, 0x0BF5),
                range(0x0BFB, 0x0BFD),
                range(0x0C03, 0x0C05),
                range(0x0C25, 0x0C27),
                range(0x0C83, 0x0C8B),
                range(0x0C93, 0x0C9B),
                range(0x0DBD, 0x0DC9),
                range(0xB02B, 0xB033),
            ),
            _CELLS,
            most=125,
        )
    },
    baud_codes={9_600: 0, 19_200: 1, 38_400: 2},
    baud=19_200,
    parity="E1",
)
