"""Make protocol/wattle_wire/comb_p256.py, the multiples of the generator of P-256.

`python protocol/vectors/make_comb.py` writes the module. Plain affine arithmetic on CPython's
integers, on purpose not the code that uses the table.

Why this shape: instructions of one whole signature on the emulated Cortex-M3 (`make board`) with
an empty heap of 110 kB; products are multiplications in the field.

    teeth  blocks   bytes  additions  doublings  products  instructions
      4      1        512     64         64        1220      20.1 M
      6      2       4096     43         21         623      11.2 M
      5      4       4096     52         12         622      11.2 M   <- chosen
      6      3       6144     44         14         570      10.4 M
      6      4       8192     43         10         524       9.8 M
      7      2       8192     37         18         536       9.9 M
      8      1       8192     32         32         612      10.9 M
      7      3      12288     38         12         492       9.2 M
      8      2      16384     33         16         478       9.0 M

A board has 64 kB for all its code and 12 M instructions for a signature: 4 KB are the largest
table that leaves room for the rest. With 5 teeth other tasks get a turn 13 times, with 6 teeth and
2 blocks, which cost as much, 22 times.
"""

import pathlib

MODULE = pathlib.Path(__file__).parent.parent / "wattle_wire" / "comb_p256.py"

TEETH = 5
BLOCKS = 4
SPAN = 13

# SP 800-186 section 3.2.1.3
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

BYTES_PER_LINE = 22

Point = tuple[int, int]


def add(left: Point, right: Point) -> Point:
    """The sum of two points, neither of them infinity nor each other's negative."""
    if left == right:
        slope = 3 * (left[0] * left[0] - 1) * pow(2 * left[1], -1, P)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, P)
    x = (slope * slope - left[0] - right[0]) % P
    return x, (slope * (left[0] - x) - left[1]) % P


def negative(point: Point) -> Point:
    return point[0], P - point[1]


def doubled(point: Point, times: int) -> Point:
    """2^times * point."""
    for _ in range(times):
        point = add(point, point)
    return point


def block_points(base: Point) -> list[Point]:
    """One block: for each index, the sum of +-2^(tooth * columns) * base, the top tooth +."""
    teeth = [base]
    while len(teeth) < TEETH:
        teeth.append(doubled(teeth[-1], SPAN * BLOCKS))
    points = []
    for index in range(1 << (TEETH - 1)):
        point = teeth[-1]
        for tooth, multiple in enumerate(teeth[:-1]):
            point = add(point, multiple if index >> tooth & 1 else negative(multiple))
        points.append(point)
    return points


def table() -> bytes:
    """All blocks, the highest first, each point as x and y in 32 bytes, big-endian."""
    blocks = []
    base = GENERATOR
    for _ in range(BLOCKS):
        blocks.append(block_points(base))
        base = doubled(base, SPAN)
    points = [point for block in reversed(blocks) for point in block]
    return b"".join(x.to_bytes(32, "big") + y.to_bytes(32, "big") for x, y in points)


def module() -> str:
    """The text of the module."""
    data = table()
    lines = []
    for start in range(0, len(data), BYTES_PER_LINE):
        escaped = "".join(f"\\x{byte:02x}" for byte in data[start : start + BYTES_PER_LINE])
        lines.append(f'    b"{escaped}"\n')
    return f'''"""Multiples of the generator of P-256 for a signed comb, by vectors/make_comb.py.

A scalar of TEETH * BLOCKS * SPAN bits, each worth +1 or -1, is cut into TEETH rows; bit
`block * SPAN + column` of all rows together is one digit. TABLE holds, for each block (the
highest first) and each digit whose top bit is +1, the point

    2^(SPAN * block) * sum over teeth of +-2^(SPAN * BLOCKS * tooth) * G

as x and y of 32 bytes, big-endian; the other digits are their negatives. A multiplication
takes BLOCKS * SPAN additions and SPAN - 1 doublings. Why this shape: see the script.

One bytes literal: frozen into firmware it stays in flash and takes no heap; compiled from
source it takes its {len(data)} bytes of heap, and 20 kB while it is compiled.
"""

TEETH = {TEETH}
BLOCKS = {BLOCKS}
SPAN = {SPAN}

TABLE = (
{"".join(lines)})
'''


if __name__ == "__main__":
    MODULE.write_text(module(), encoding="ascii")
