"""The table of the comb: what the committed script makes, and what the group law says."""

import importlib.util
from pathlib import Path
from types import ModuleType

from ecdsa.curves import NIST256p
from ecdsa.ellipticcurve import INFINITY, PointJacobi
from wattle_wire import comb_p256

PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"
POINTS_PER_BLOCK = 1 << (comb_p256.TEETH - 1)


def make_comb() -> ModuleType:
    specification = importlib.util.spec_from_file_location(
        "make_comb", PROTOCOL / "vectors" / "make_comb.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_committed_module_is_what_the_script_makes() -> None:
    committed = (PROTOCOL / "wattle_wire" / "comb_p256.py").read_text(encoding="ascii")
    assert committed == make_comb().module()


def test_the_shape_holds_every_scalar_made_odd() -> None:
    # a scalar plus the order has up to 257 bits
    assert comb_p256.TEETH * comb_p256.BLOCKS * comb_p256.SPAN >= 257
    assert len(comb_p256.TABLE) == comb_p256.BLOCKS * POINTS_PER_BLOCK * 64


def test_every_point_by_the_group_law_of_another_library() -> None:
    """Each entry is the scalar that its digit means times G, computed by the ecdsa package."""
    columns = comb_p256.BLOCKS * comb_p256.SPAN
    for block in range(comb_p256.BLOCKS):
        for index in range(POINTS_PER_BLOCK):
            digit = POINTS_PER_BLOCK | index
            scalar = sum(
                (1 if digit >> tooth & 1 else -1) << (columns * tooth)
                for tooth in range(comb_p256.TEETH)
            ) << (comb_p256.SPAN * (comb_p256.BLOCKS - 1 - block))
            point = NIST256p.generator * (scalar % NIST256p.order)
            assert isinstance(point, PointJacobi)
            assert point != INFINITY
            start = 64 * (block * POINTS_PER_BLOCK + index)
            expected = point.x().to_bytes(32, "big") + point.y().to_bytes(32, "big")
            assert comb_p256.TABLE[start : start + 64] == expected, (block, index)
