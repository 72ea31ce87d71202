"""How much flash the firmware takes, linked and compiled."""

from pathlib import Path

from wattle_tools.image import build, compiler
from wattle_tools.image.sources import device_files

FIRMWARE = Path(__file__).parents[2] / "firmware"
# The limit of all device code; firmware/DECISIONS.md says what it is made of.
CODE_BYTES_MAX = 64_000
PROBE_BYTES_MAX = 19_800


def test_compiled_code_keeps_within_its_flash() -> None:
    total = sum(len(data) for data in build.image(FIRMWARE).files.values())
    assert total <= CODE_BYTES_MAX
    single = sum(len(compiler.compiled(file.path)) for file in device_files(FIRMWARE))
    assert total < 0.57 * single


def test_what_a_technician_brings_along_fits_beside_it() -> None:
    assert len(build.probe(FIRMWARE).files["wattle_probe.mpy"]) <= PROBE_BYTES_MAX
