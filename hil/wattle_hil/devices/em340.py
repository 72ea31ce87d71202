"""Carlo Gavazzi EM340 as data: 32-bit integers low word first, the same for functions 3 and 4.

Sources: volkszaehler/mbmd carlogavazzi-ex3x0.go, the EM330/EM340 entry of star.ke.st. Demand
stays 0. Left out: the model code, which answers at 0x000B to a read of that register alone.
"""

from collections.abc import Mapping

from wattle_hil.devices.model import Model
from wattle_hil.devices.registers import Cell, Fixed, Integer, RegisterMap

_LONGS = {
    0x0000: ("u_l1_v", -1),
    0x0002: ("u_l2_v", -1),
    0x0004: ("u_l3_v", -1),
    0x0006: ("u_line_v", -1),
    0x0008: ("u_line_v", -1),
    0x000A: ("u_line_v", -1),
    0x000C: ("i_l1_a", -3),
    0x000E: ("i_l2_a", -3),
    0x0010: ("i_l3_a", -3),
    0x0012: ("p_l1_w", -1),
    0x0014: ("p_l2_w", -1),
    0x0016: ("p_l3_w", -1),
    0x0018: ("s_l1_va", -1),
    0x001A: ("s_l2_va", -1),
    0x001C: ("s_l3_va", -1),
    0x001E: ("q_l1_var", -1),
    0x0020: ("q_l2_var", -1),
    0x0022: ("q_l3_var", -1),
    0x0024: ("u_mean_v", -1),
    0x0026: ("u_line_v", -1),
    0x0028: ("p_w", -1),
    0x002A: ("s_va", -1),
    0x002C: ("q_var", -1),
    0x0034: ("ei_wh", 2),
    0x0036: ("eri_varh", 2),
    0x0040: ("ei_l1_wh", 2),
    0x0042: ("ei_l2_wh", 2),
    0x0044: ("ei_l3_wh", 2),
    0x004E: ("ee_wh", 2),
    0x0050: ("ere_varh", 2),
}
_SHORTS = {
    0x002E: ("pf_l1", -3),
    0x002F: ("pf_l2", -3),
    0x0030: ("pf_l3", -3),
    0x0031: ("pf", -3),
    0x0033: ("f_hz", -1),
}
_CELLS: Mapping[int, Cell] = {
    **{at: Integer(name, power, 2, low_first=True) for at, (name, power) in _LONGS.items()},
    **{at: Integer(name, power) for at, (name, power) in _SHORTS.items()},
    0x0038: Fixed(bytes(8)),
}
_REGISTERS = RegisterMap(
    (
        range(0x0032),
        range(0x0033, 0x003C),
        range(0x0040, 0x0046),
        range(0x004E, 0x0052),
    ),
    _CELLS,
    most=50,
)

EM340 = Model(
    name="EM340",
    phases=3,
    tables={3: _REGISTERS, 4: _REGISTERS},
    resolution_wh=100,
    baud_codes={9_600: 1, 19_200: 2, 38_400: 3, 115_200: 5},
)
