"""A SunSpec meter as data: models 201 to 204 behind a walk over the model list.

Source: sunspec/models 201 to 204 (the same 107 registers) and the model list: "SunS", model 1,
others, the end 0xFFFF. Values are int16 times ten to the power of their own scale register.
Not implemented here, and shown so: the line to line voltages, apparent energy, reactive energy.
"""

import struct
from collections.abc import Mapping

from wattle_hil.devices.model import Model
from wattle_hil.devices.registers import Cell, Fixed, Integer, RegisterMap

_MARKER = b"SunS"
_COMMON_WORDS = 66
_METER_WORDS = 105
_HEAD_WORDS = 2
_END = 0xFFFF
_ABSENT = b"\x80\x00"

# Scale registers: power of ten, and the offsets of the values that it is for.
_A_SF, _V_SF, _HZ_SF, _W_SF, _WH_SF = -2, -1, -2, 1, 0
_SCALES = {6: _A_SF, 15: _V_SF, 17: _HZ_SF, 22: _W_SF, 27: _W_SF, 32: _W_SF, 37: -2, 54: _WH_SF}
# The current and power of a phase at offsets that count from its total's, by model.
_PHASES = {201: 1, 202: 2, 203: 3, 204: 3}


def _phase(stem: str, number: int, unit: str) -> str:
    return f"{stem}_l{number}_{unit}" if number else f"{stem}_{unit}"


def _head(at: int, model: int, words: int) -> dict[int, Cell]:
    """ID and length of a block that begins at an address."""
    return {at: Fixed(struct.pack(">H", model)), at + 1: Fixed(struct.pack(">H", words))}


def _meter_cells(model: int) -> dict[int, Cell]:
    """The cells of the block by their offset from its ID register; what is absent says so."""
    cells = _head(0, model, _METER_WORDS)
    for phase in range(_PHASES[model] + 1):
        cells[2 + phase] = Integer(_phase("i", phase, "a") if phase else "i_sum_a", _A_SF)
        cells[18 + phase] = Integer(_phase("p", phase, "w"), _W_SF)
        cells[23 + phase] = Integer(_phase("s", phase, "va"), _W_SF)
        cells[28 + phase] = Integer(_phase("q", phase, "var"), _W_SF)
        cells[38 + 2 * phase] = Integer(_phase("ee", phase, "wh"), _WH_SF, 2)
        cells[46 + 2 * phase] = Integer(_phase("ei", phase, "wh"), _WH_SF, 2)
        if phase and model != 204:  # a delta has no neutral to measure against
            cells[7 + phase] = Integer(_phase("u", phase, "v"), _V_SF)
    if model != 204:
        cells[7] = Integer("u_mean_v", _V_SF)
    cells[16] = Integer("f_hz", _HZ_SF)
    cells[33] = Integer("pf", -2)
    for offset, power in _SCALES.items():
        cells[offset] = Fixed(struct.pack(">h", power))
    for offset in range(2, 38):
        cells.setdefault(offset, Fixed(_ABSENT))
    return cells


def sunspec_meter(
    model: int, base: int = 40_000, before: Mapping[int, int] | None = None, has_hz_sf: bool = True
) -> Model:
    """A meter of one model. base: where its map begins. before: other models and their lengths
    that stand before it. has_hz_sf: whether it scales its frequency.
    """
    at = base + len(_MARKER) // 2
    cells: dict[int, Cell] = {base: Fixed(_MARKER)}
    for number, words in {1: _COMMON_WORDS, **(before or {})}.items():
        cells |= _head(at, number, words)
        at += _HEAD_WORDS + words
    meter = _meter_cells(model)
    if not has_hz_sf:
        meter |= {16: Integer("f_hz", 0), 17: Fixed(_ABSENT)}
    cells |= {at + offset: cell for offset, cell in meter.items()}
    at += _HEAD_WORDS + _METER_WORDS
    cells |= _head(at, _END, 0)
    return Model(
        name=f"SunSpec {model}",
        phases=min(_PHASES[model], 3),
        tables={3: RegisterMap((range(base, at + _HEAD_WORDS),), cells, most=125)},
        baud_codes={9_600: 0, 19_200: 1},
    )
