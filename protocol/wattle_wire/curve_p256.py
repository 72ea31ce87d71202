"""The group of NIST P-256 in integers: y^2 = x^3 - 3x + b over the field of P elements.

A point is a tuple (X, Y, ZZ, ZZZ) with x = X/ZZ, y = Y/ZZZ, ZZ^3 = ZZZ^2 ("XYZZ" in the
Explicit-Formulas Database); infinity is any (t^2, t^3, 0, 0). On MicroPython a `%` costs 2.6
times a `*`, so reductions decide: XYZZ adds an affine point with 9, Jacobian with 10.

The multiplications are generators: they yield None between slices of at most seven point
operations or one inversion, so that a device can serve its other tasks, and return the point.

Side channels, honestly. Scalars are recoded into digits that are never zero: every scalar
takes the same additions and doublings in the same order, no branch depends on it (but for
one in 2^250), and a blinded starting point randomises all intermediate values. What remains:
MicroPython's and CPython's integers are not constant in time (a value with leading zero
digits is handled faster), the address of a table entry depends on the scalar, and `inverse`
takes as many steps as its operand asks for, so callers blind what they invert. This is meant
against whoever measures response times; it is no defence against whoever has the board on a
laboratory bench.
"""

from wattle_wire.comb_p256 import BLOCKS, SPAN, TABLE, TEETH

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Generator

# SP 800-186 section 3.2.1.3: field, order of the group, coefficient b
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

_TABLE = memoryview(TABLE)  # slices of it are read without a copy
_COORDINATE_BYTES = 32
_POINT_BYTES = 2 * _COORDINATE_BYTES
_COLUMNS = SPAN * BLOCKS
_COMB_BITS = TEETH * _COLUMNS
_DIGITS_PER_BLOCK = 1 << (TEETH - 1)
# The number that TEETH rows of the text "000...0" make when they are added up as in _comb_digits.
_ZERO_TEXT = int.from_bytes(b"0" * _COLUMNS, "big") * ((1 << TEETH) - 1)

_WINDOW_BYTES = 33
_WINDOW_BITS = 8 * _WINDOW_BYTES  # 66 windows of 4 bits; a scalar made odd has 257 bits


def inverse(value: int, modulus: int) -> int:
    """1 / value for a prime modulus and 0 < value < modulus, by Euclid's extended algorithm.

    MicroPython's `pow` has no modular inverse, and a power costs five times as much.
    """
    high, low = modulus, value
    before, factor = 0, 1
    while low:
        quotient, remainder = divmod(high, low)
        high, low = low, remainder
        before, factor = factor, before - quotient * factor
    return before % modulus


def is_on_curve(x: int, y: int) -> bool:
    """Whether the field elements x and y satisfy the equation of the curve."""
    return (y * y - x * x * x + 3 * x - B) % P == 0


def double(point: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """2 * point, infinity included (dbl-2008-s-1 with a = -3)."""
    px, py, zz, zzz = point
    u = py + py
    v = u * u % P
    w = u * v % P
    s = px * v % P
    m = 3 * (px - zz) * (px + zz) % P
    x = (m * m - s - s) % P
    return x, (m * (s - x) - w * py) % P, v * zz % P, w * zzz % P


def add_affine(point: tuple[int, int, int, int], x: int, y: int) -> tuple[int, int, int, int]:
    """point + (x, y) for any two points, infinity on the left included (madd-2008-s).

    Infinity (t^2, t^3, 0, 0) becomes (x, y) scaled by t, which is how blinding enters.
    """
    px, py, zz, zzz = point
    if not zz:
        return x * px % P, y * py % P, px, py
    h = (x * zz - px) % P
    r = (y * zzz - py) % P
    if not h and not r:
        return double(point)
    hh = h * h % P
    hhh = h * hh % P
    q = px * hh % P
    x = (r * r - hhh - q - q) % P
    return x, (r * (q - x) - py * hhh) % P, zz * hh % P, zzz * hhh % P


def to_affine(points: list[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
    """The coordinates (x, y) of points, none of them infinity, with a single inversion."""
    product = 1
    products = []
    for point in points:
        products.append(product)
        product = product * point[3] % P
    rest = inverse(product, P)
    affine = []
    for index in range(len(points) - 1, -1, -1):
        px, py, zz, zzz = points[index]
        per_zzz = rest * products[index] % P
        rest = rest * zzz % P
        per_z = zz * per_zzz % P
        affine.append((px * (per_z * per_z % P) % P, py * per_zzz % P))
    affine.reverse()
    return affine


def x_of(point: tuple[int, int, int, int]) -> int:
    """The x coordinate of a point that is not infinity: `to_affine` for those who need no y."""
    return point[0] * inverse(point[2], P) % P


def _signed_bits(scalar: int, length: int) -> int:
    """`length` bits whose i-th stands for +2^i if it is 1 and for -2^i if it is 0.

    Such a sum is odd, so it is that of scalar + N where the scalar is even.
    """
    odd = (scalar + N, scalar)[scalar & 1]
    return (odd + (1 << length) - 1) >> 1


def _comb_digits(scalar: int) -> bytes:
    """The digits of a scalar for TABLE: of each block, highest first, the highest column first.

    In the binary text every bit is a byte; adding up the rows with the weight of their tooth
    turns all columns into digits at once, where picking single bits takes three times as long.
    """
    text = bin(_signed_bits(scalar, _COMB_BITS)).encode()  # "0b1...", the top bit is always 1
    total = 0
    for start in range(2, len(text), _COLUMNS):
        total = total + total + int.from_bytes(text[start : start + _COLUMNS], "big")
    return (total - _ZERO_TEXT).to_bytes(_COLUMNS, "big")


def _comb_point(block: int, digit: int) -> tuple[int, int]:
    """The point (x, y) that a digit stands for in a block (0 is the highest)."""
    positive = digit >> (TEETH - 1)
    index = (digit ^ (positive - 1)) & (_DIGITS_PER_BLOCK - 1)
    start = (block * _DIGITS_PER_BLOCK + index) * _POINT_BYTES
    middle = start + _COORDINATE_BYTES
    y = int.from_bytes(_TABLE[middle : middle + _COORDINATE_BYTES], "big")
    return int.from_bytes(_TABLE[start:middle], "big"), (P - y, y)[positive]


def _blinded_infinity(blind: int) -> tuple[int, int, int, int]:
    square = blind * blind % P
    return square, square * blind % P, 0, 0


def multiply_generator_steps(
    scalar: int, blind: int
) -> "Generator[None, None, tuple[int, int, int, int]]":
    """scalar * G for 0 <= scalar < N; `blind` is any nonzero field element."""
    digits = _comb_digits(scalar)
    point = _blinded_infinity(blind)
    for column in range(SPAN):
        if column:
            point = double(point)
        for block in range(BLOCKS):
            x, y = _comb_point(block, digits[block * SPAN + column])
            point = add_affine(point, x, y)
        yield
    return point


def multiply_steps(
    scalar: int, x: int, y: int, blind: int
) -> "Generator[None, None, tuple[int, int, int, int]]":
    """scalar * (x, y) for 0 <= scalar < N and a point of the curve; `blind` as above.

    Windows of four signed bits: the digits are -15, -13, ... 15.
    """
    [twice] = to_affine([double((x, y, 1, 1))])
    yield
    multiples = [(x, y, 1, 1)]
    while len(multiples) < 8:
        multiples.append(add_affine(multiples[-1], twice[0], twice[1]))
    yield
    odd_multiples = to_affine(multiples)
    yield
    point = _blinded_infinity(blind)
    for pair in _signed_bits(scalar, _WINDOW_BITS).to_bytes(_WINDOW_BYTES, "big"):
        for window in (pair >> 4, pair & 15):
            for _ in range(4):
                point = double(point)
            positive = window >> 3
            x, y = odd_multiples[(window ^ (positive - 1)) & 7]
            point = add_affine(point, x, (P - y, y)[positive])
            yield
    return point
