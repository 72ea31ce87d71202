"""Peacefair PZEM-004T v3 as data: ten registers of function 4, 32-bit values low word first.

Sources: jabastien/STM32_PZEM016, Zephyr's pzem004t.h. It measures no direction: all energy is
import. Left out: the alarm's threshold, the reset of its counter (function 0x42), calibration
(0x41) and the general address 0xF8.
"""

from wattle_hil.devices.model import Model
from wattle_hil.devices.registers import Fixed, Integer, RegisterMap

_COUNTER_END_WH = 10_000_000  # 9999.99 kWh is the last it shows
_NO_ALARM = bytes(2)

PZEM_004T = Model(
    name="PZEM-004T",
    phases=1,
    tables={
        4: RegisterMap(
            (range(0x000A),),
            {
                0x0000: Integer("u_l1_v", -1),
                0x0001: Integer("i_l1_a", -3, 2, low_first=True),
                0x0003: Integer("p_absolute_w", -1, 2, low_first=True),
                0x0005: Integer("e_wh", 0, 2, low_first=True, wraps_at=_COUNTER_END_WH),
                0x0007: Integer("f_hz", -1),
                0x0008: Integer("pf_absolute", -2),
                0x0009: Fixed(_NO_ALARM),
            },
            most=10,
        )
    },
    baud_codes={9_600: 0},
)
