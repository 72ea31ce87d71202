"""Eastron SDM120 and SDM630 as data: registers, settings and their codes.

Written from Eastron's protocol documents (SDM630Modbus V1.8 sections 1.2.1 and 1.3.1; SDM120's
list), independently of the meter firmware's profiles: that both agree is a check of the bench.
Left out, so refused with exception 2: demands, VAh, Ah, neutral current, current THD.
"""

from collections.abc import Mapping

from wattle_hil.devices.model import Model
from wattle_hil.devices.registers import Cell, Integer, RegisterMap, Single

# SDM630Modbus V1.8, section 1.2: at most 40 values in one request.
_MOST = 80

_SDM120_INPUTS = {
    0x0000: "u_l1_v",
    0x0006: "i_l1_a",
    0x000C: "p_w",
    0x0012: "s_va",
    0x0018: "q_var",
    0x001E: "pf",
    0x0046: "f_hz",
    0x0048: "ei_wh",
    0x004A: "ee_wh",
    0x004C: "eri_varh",
    0x004E: "ere_varh",
    0x0156: "e_wh",
    0x0158: "er_varh",
}

_SDM630_INPUTS = {
    0x0000: "u_l1_v",
    0x0002: "u_l2_v",
    0x0004: "u_l3_v",
    0x0006: "i_l1_a",
    0x0008: "i_l2_a",
    0x000A: "i_l3_a",
    0x000C: "p_l1_w",
    0x000E: "p_l2_w",
    0x0010: "p_l3_w",
    0x0012: "s_l1_va",
    0x0014: "s_l2_va",
    0x0016: "s_l3_va",
    0x0018: "q_l1_var",
    0x001A: "q_l2_var",
    0x001C: "q_l3_var",
    0x001E: "pf_l1",
    0x0020: "pf_l2",
    0x0022: "pf_l3",
    0x0024: "phi_l1_deg",
    0x0026: "phi_l2_deg",
    0x0028: "phi_l3_deg",
    0x002A: "u_mean_v",
    0x002E: "i_mean_a",
    0x0030: "i_sum_a",
    0x0034: "p_w",
    0x0038: "s_va",
    0x003C: "q_var",
    0x003E: "pf",
    0x0042: "phi_deg",
    0x0046: "f_hz",
    0x0048: "ei_wh",
    0x004A: "ee_wh",
    0x004C: "eri_varh",
    0x004E: "ere_varh",
    0x00C8: "u_line_v",
    0x00CA: "u_line_v",
    0x00CC: "u_line_v",
    0x00CE: "u_line_v",
    0x00EA: "thd_percent",
    0x00EC: "thd_percent",
    0x00EE: "thd_percent",
    0x00F8: "thd_percent",
    0x0156: "e_wh",
    0x0158: "er_varh",
    0x015A: "ei_l1_wh",
    0x015C: "ei_l2_wh",
    0x015E: "ei_l3_wh",
    0x0160: "ee_l1_wh",
    0x0162: "ee_l2_wh",
    0x0164: "ee_l3_wh",
    0x0166: "e_l1_wh",
    0x0168: "e_l2_wh",
    0x016A: "e_l3_wh",
    0x016C: "eri_l1_varh",
    0x016E: "eri_l2_varh",
    0x0170: "eri_l3_varh",
    0x0172: "ere_l1_varh",
    0x0174: "ere_l2_varh",
    0x0176: "ere_l3_varh",
    0x0178: "er_l1_varh",
    0x017A: "er_l2_varh",
    0x017C: "er_l3_varh",
}


def _singles(quantities: Mapping[int, str]) -> dict[int, Cell]:
    """All values are singles; energies are shown in thousands (kWh, kvarh)."""
    return {
        address: Single(name, 1_000 if name.endswith(("_wh", "_varh")) else 1)
        for address, name in quantities.items()
    }


SDM120 = Model(
    name="SDM120",
    phases=1,
    tables={
        4: RegisterMap((range(0x0050), range(0x0156, 0x015A)), _singles(_SDM120_INPUTS), _MOST),
        3: RegisterMap(
            (range(0x0012, 0x0016), range(0x001C, 0x001E)),
            _singles({0x0012: "parity_code", 0x0014: "unit", 0x001C: "baud_code"}),
            _MOST,
        ),
    },
    baud_codes={1_200: 5, 2_400: 0, 4_800: 1, 9_600: 2},
)

SDM630 = Model(
    name="SDM630",
    phases=3,
    tables={
        4: RegisterMap(
            (range(0x0050), range(0x00C8, 0x00D0), range(0x00EA, 0x00FA), range(0x0156, 0x017E)),
            _singles(_SDM630_INPUTS),
            _MOST,
        ),
        3: RegisterMap(
            (
                range(0x000A, 0x000C),
                range(0x0012, 0x0016),
                range(0x001C, 0x001E),
                range(0xFC00, 0xFC02),
            ),
            _singles(
                {
                    0x000A: "system_type",
                    0x0012: "parity_code",
                    0x0014: "unit",
                    0x001C: "baud_code",
                }
            )
            | {0xFC00: Integer("serial_number", 0, 2)},
            _MOST,
        ),
    },
    baud_codes={2_400: 0, 4_800: 1, 9_600: 2, 19_200: 3, 38_400: 4},
)

MODELS: Mapping[str, Model] = {"sdm120": SDM120, "sdm630": SDM630}
