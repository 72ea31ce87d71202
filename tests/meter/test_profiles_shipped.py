"""The profiles that ship with the firmware."""

from hashlib import sha256
from pathlib import Path

import pytest
from wattle_meter import profile, read_plan
from wattle_meter.small_file import FileTooLargeError

PROFILES = sorted((Path(__file__).parents[2] / "firmware/profiles").glob("*.json"))


def test_there_are_profiles() -> None:
    assert {path.stem for path in PROFILES} == {
        "em340",
        "iem3155",
        "pzem-004t",
        "sdm120",
        "sdm630",
        "sunspec-201",
        "sunspec-203",
    }


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_is_named_like_its_file_and_readable_every_second(path: Path) -> None:
    device, digest = profile.load(str(path))
    assert digest == sha256(path.read_bytes()).digest()
    assert device.name == path.stem
    reads = read_plan.plan_reads(device, sorted(device.registers))
    assert all(read.count <= device.registers_per_read for read in reads)
    read_plan.plan_round([(device, reads)], device.line, 1000)


def test_sdm120_reads_energy_in_one_request() -> None:
    device, _ = profile.load(str(PROFILES[0].with_name("sdm120.json")))
    reads = read_plan.plan_reads(device, ["ei", "ee", "p"])
    assert [(read.address, read.count) for read in reads] == [(0x48, 4), (0x0C, 2)]


def test_a_file_too_large_for_a_board_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    path.write_bytes(b" " * (profile.PROFILE_BYTES_MAX + 1))
    with pytest.raises(FileTooLargeError, match=r"big\.json: 8193 bytes, expected at most 8192"):
        profile.load(str(path))
