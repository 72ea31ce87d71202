"""Areas: places of a radial distribution grid, each named by the way to it (SPEC section 10).

`north/feeder-7/section-2` is a section on a feeder of the substation `north`, contained in it as
equipment is in IEC 61970-301 (EquipmentContainer). Each name further is a line further out, so the
names alone are the tree of the grid, and no table of it has to be kept true.
"""

import re

from wattle_wire import structure

from wattle_gateway.ledger.errors import FormatError

NAME = "[a-z0-9-]{1,32}"
PATTERN = re.compile(f"{NAME}(?:/{NAME})*")
# Some ten names of usual length, further out than `select_far` tells apart.
CHARS_MAX = 128
EVERYWHERE = ""


def parse(value: object) -> str:
    """An area in decoded CBOR, or as people write it; WireError or FormatError otherwise."""
    area = structure.text(value, CHARS_MAX, "area")
    if not PATTERN.fullmatch(area):
        raise FormatError(
            f"area {area!r}, expected a name [a-z0-9-]{{1,32}}, or the way to it: "
            "substation/feeder/section"
        )
    return area


def parse_place(value: object) -> str:
    """An area, or EVERYWHERE; WireError or FormatError otherwise."""
    return EVERYWHERE if value == EVERYWHERE else parse(value)


def is_path(area: str) -> bool:
    """Whether it has more than one name, which before rules 3 no area has."""
    return "/" in area


def within(area: str, place: str) -> bool:
    """Whether `area` is `place` or lies further out behind it."""
    return place in (EVERYWHERE, area) or area.startswith(place + "/")


def distance(area: str, place: str) -> int | None:
    """The number of lines between `area` and the nearest point of `place`: 0 within, None where no
    line joins them. With EVERYWHERE nothing is far (D43)."""
    if within(area, place):
        return 0
    there, here = area.split("/"), place.split("/")
    shared = 0
    for one, other in zip(there, here, strict=False):
        if one != other:
            break
        shared += 1
    return len(there) + len(here) - 2 * shared if shared else None
