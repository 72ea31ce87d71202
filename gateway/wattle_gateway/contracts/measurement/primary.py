"""From what a metering device shows to what flows behind its transformers (D3)."""

from dataclasses import dataclass

MWH_PER_WH = 1000
MS_PER_H = 3_600_000
DECIWATT_PER_W = 10  # `p` counts in 0.1 W (SPEC section 4)


@dataclass(frozen=True)
class Ratio:
    """`numerator` / `denominator` (both above 0): primary over shown; `orient` 1, or -1 where
    the device's transformers are the wrong way round."""

    numerator: int = 1
    denominator: int = 1
    orient: int = 1

    @classmethod
    def of(cls, ct: tuple[int, int], vt: tuple[int, int], orient: int) -> "Ratio":
        """Of current and voltage transformers (primary, secondary), as a point has them."""
        return cls(ct[0] * vt[0], ct[1] * vt[1], orient)

    def energy_mwh(self, energy_wh: int) -> int:
        """A register (Wh as shown) as primary mWh. Differences of these telescope."""
        return self.orient * divided(energy_wh * MWH_PER_WH * self.numerator, self.denominator)

    def mean_energy_mwh(self, sum_dw: int, count: int, length_ms: int) -> int:
        """Primary mWh of `length_ms` at the mean of `count` powers of 0.1 W, `sum_dw` together."""
        return self.orient * divided(
            sum_dw * length_ms * MWH_PER_WH * self.numerator,
            count * DECIWATT_PER_W * MS_PER_H * self.denominator,
        )


def divided(numerator: int, denominator: int) -> int:
    """The quotient rounded toward zero (D2); `denominator` is above 0."""
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient
