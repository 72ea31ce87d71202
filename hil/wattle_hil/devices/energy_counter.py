"""The energy counter of a metering device and what its float32 register can show of it.

A device counts energy in whole steps of its resolution and shows the count in kWh as an IEEE-754
single. From 16,384 kWh on neighbouring singles are further apart than 1 Wh, so the register is
coarser than the counter: whoever compares energies needs `tolerance_wh`.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

from wattle_hil.curves.curve import NJ_PER_WH
from wattle_hil.errors import DeviceError

PERMILLE = 1_000
# An SDM's display ends at 999,999 kWh; what a real one does there no source we have says.
MAX_COUNTER_WH = 999_999_000
_SIGNIFICAND_BITS = 24
_WH_PER_KWH = 1_000
_MWH_PER_WH = 1_000


@dataclass(frozen=True)
class EnergyCounter:
    """Counts from initial_wh in steps of resolution_wh (both Wh, integers)."""

    initial_wh: int
    resolution_wh: int

    def __post_init__(self) -> None:
        if self.resolution_wh < 1:
            raise DeviceError(f"resolution {self.resolution_wh} Wh, expected at least 1")
        if not 0 <= self.initial_wh <= MAX_COUNTER_WH:
            raise DeviceError(f"counter of {self.initial_wh} Wh, expected 0 to {MAX_COUNTER_WH}")

    def steps(self, energy_nj: int) -> int:
        """Whole steps counted once energy_nj (>= 0, exact) has flowed since the initial value."""
        return (self.initial_wh * NJ_PER_WH + energy_nj) // (self.resolution_wh * NJ_PER_WH)


@dataclass(frozen=True)
class PhaseSplit:
    """Divides a device's power and counted steps among its phases.

    shares_permille: one share >= 0 for each phase, 1,000 in all.
    """

    shares_permille: tuple[int, ...]

    def __post_init__(self) -> None:
        if sum(self.shares_permille) != PERMILLE or min(self.shares_permille) < 0:
            raise DeviceError(f"phase shares {self.shares_permille}, expected 1000 per mille")

    def steps(self, total: int) -> tuple[int, ...]:
        """Steps of each phase: they add up to total, and none ever falls while total rises.

        Rounding each phase alone could do neither, so each step goes whole to one phase: to the
        one that lags furthest behind its share.
        """
        cycles, rest = divmod(total, PERMILLE)
        pattern = self._pattern[rest]
        return tuple(
            cycles * share + extra
            for share, extra in zip(self.shares_permille, pattern, strict=True)
        )

    def power(self, total: int) -> tuple[int, ...]:
        """Power of each phase in the unit of total; they add up to total."""
        parts = [total * share // PERMILLE for share in self.shares_permille[:-1]]
        return (*parts, total - sum(parts))

    @cached_property
    def _pattern(self) -> list[tuple[int, ...]]:
        counts = [0] * len(self.shares_permille)
        pattern = [tuple(counts)]
        for step in range(1, PERMILLE):
            lags = [
                share * step - PERMILLE * count
                for share, count in zip(self.shares_permille, counts, strict=True)
            ]
            counts[lags.index(max(lags))] += 1
            pattern.append(tuple(counts))
        return pattern


def kwh_float32(energy_wh: int) -> bytes:
    """Energy in Wh as a register shows it: kWh, float32, high word first, 4 bytes."""
    return struct.pack(">f", energy_wh / _WH_PER_KWH)


def effective_resolution_mwh(energy_wh: int, resolution_wh: int) -> int:
    """The distance in mWh between values the register can show around energy_wh, rounded up.

    The counter's resolution, or the distance of float32 neighbours in kWh where that is larger.
    """
    return max(resolution_wh * _MWH_PER_WH, _float32_spacing_mwh(energy_wh))


def tolerance_wh(energy_wh: int, resolution_wh: int) -> int:
    """How far the difference of two readings may lie from the true energy between them, in Wh.

    The distance is strictly less than this, for readings of one register up to energy_wh that were
    rounded to the nearest Wh: one counter step, plus, where float32 is too coarse for single Wh,
    what its rounding and the rounding to Wh can add at both ends.
    """
    spacing_mwh = _float32_spacing_mwh(energy_wh)
    if spacing_mwh <= _MWH_PER_WH:
        return resolution_wh
    return resolution_wh + 2 * ((spacing_mwh + _MWH_PER_WH) // (2 * _MWH_PER_WH))


def _float32_spacing_mwh(energy_wh: int) -> int:
    """Distance of float32 neighbours around energy_wh / 1000 kWh in mWh, rounded up."""
    whole_kwh = max(energy_wh // _WH_PER_KWH, 1)
    exponent = whole_kwh.bit_length() - _SIGNIFICAND_BITS
    mwh_per_kwh = _WH_PER_KWH * _MWH_PER_WH
    return -(-mwh_per_kwh << exponent) if exponent >= 0 else -(-mwh_per_kwh >> -exponent)
