"""Quantities that a reading may hold, each with one unit and one decimal exponent.

One form per quantity means that a value has one encoding (SPEC section 4).
"""

from wattle_wire.errors import MalformedError

STATUS = "st"

# base name: (SenML unit, decimal exponent, may carry a phase suffix); RFC 8428, RFC 8798
_BASES = {
    "ee": ("Wh", 0, True),
    "ei": ("Wh", 0, True),
    "f": ("Hz", -2, False),
    "i": ("A", -3, True),
    "p": ("W", -1, True),
    "q": ("var", -1, True),
    "u": ("V", -1, True),
}
_PHASES = "123"

# OCMF 1.4, field ST
NOT_PRESENT = "N"
GOOD = "G"
TIMED_OUT = "T"
DISCONNECTED = "D"
NOT_FOUND = "R"
EXCHANGED = "X"
OUT_OF_RANGE = "O"
OTHER_ERROR = "E"
READ_ERROR = "F"
STATUS_LETTERS = "NGTDRMXIOSEF"


def form(name: str) -> tuple[str, int]:
    """(SenML unit, decimal exponent) of a quantity such as `p` or `u1`.

    Raises MalformedError for a name that is no quantity. The status `st` has no unit: it is none.
    """
    base, phase = name, ""
    if name and name[-1] in _PHASES:
        base, phase = name[:-1], name[-1]
    row = _BASES.get(base)
    if row is None or (phase and not row[2]):
        raise MalformedError("%r is no quantity" % name)
    return row[0], row[1]


def names() -> list[str]:
    """Every quantity name there is, in the order that readings use."""
    result = []
    for base in _BASES:
        result.append(base)
        if _BASES[base][2]:
            for phase in _PHASES:
                result.append(base + phase)
    result.sort()
    return result
