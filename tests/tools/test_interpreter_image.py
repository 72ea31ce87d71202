"""Interpreter images: read, refused, and written around what belongs to the board."""

from collections.abc import Callable
from pathlib import Path

import pytest
from wattle_hil.serial_board.program_image import NVS_AT, interpreter_image
from wattle_testkit.serial_boards import mac, saved
from wattle_tools.boards.esptool import Chip
from wattle_tools.errors import InterpreterImageError
from wattle_tools.flash import known_images
from wattle_tools.flash.interpreter_image import load

TABLE_IN_FILE = 0x8000 - 0x1000


def test_the_parts_leave_the_boards_own_partitions_alone(tmp_path: Path) -> None:
    content = interpreter_image(files_bytes=0x100000)
    image = saved(tmp_path, content)
    assert image.family == "ESP32"
    assert image.files == (0x200000, 0x100000)
    first, second = image.regions
    assert (first.offset, second.offset) == (0x1000, 0x10000)
    assert first.offset + len(first.data) <= NVS_AT
    erased = bytearray(b"\xff" * (0x1000 + len(content)))
    for region in image.regions:
        erased[region.offset : region.offset + len(region.data)] = region.data
    assert erased[0x1000:] == content


def test_an_image_with_settings_of_its_own_is_refused(tmp_path: Path) -> None:
    content = bytearray(interpreter_image())
    content[NVS_AT - 0x1000 + 100] = 0
    with pytest.raises(InterpreterImageError, match="would replace the keys"):
        saved(tmp_path, bytes(content))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:10], "does not begin as"),
        (lambda data: b"MZ" + data[2:], "does not begin as"),
        (lambda data: data[:12] + b"\x63\x00" + data[14:], "chip id 99"),
        (lambda data: data[: TABLE_IN_FILE - 1], "no partition table"),
        (
            lambda data: data[:TABLE_IN_FILE] + bytes(64) + data[TABLE_IN_FILE + 64 :],
            "no partition",
        ),
        (lambda data: data.replace(b"factory", b"Factory"), "MD5"),
    ],
)
def test_what_is_no_image_is_refused_by_name(
    tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(InterpreterImageError, match=said) as caught:
        saved(tmp_path, change(interpreter_image()))
    assert "micropython.org" in caught.value.advice


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InterpreterImageError, match=r"none\.bin: cannot be read"):
        load(tmp_path / "none.bin")


def test_an_image_is_for_one_family_of_chips(tmp_path: Path) -> None:
    image = saved(tmp_path, interpreter_image())
    image.check_chip(Chip("ESP32", "ESP32-D0WD (revision v1.0)", mac(1)))
    with pytest.raises(InterpreterImageError, match="is for ESP32, the board has ESP32-S3"):
        image.check_chip(Chip("ESP32-S3", "ESP32-S3 (QFN56)", mac(1)))


def test_an_unknown_image_is_refused_and_told_how_to_be_accepted(tmp_path: Path) -> None:
    image = saved(tmp_path, interpreter_image())
    known = known_images.known_hashes([])
    with pytest.raises(InterpreterImageError, match=image.sha256) as caught:
        known_images.check_known(image, known, None)
    accept = caught.value.advice.rpartition(" ")[2]
    known_images.check_known(image, known, accept)
    known_images.check_known(image, known, image.sha256.upper())


@pytest.mark.parametrize("accepted", ["", "0" * 64, None])
def test_another_or_too_short_a_hash_accepts_nothing(tmp_path: Path, accepted: str | None) -> None:
    image = saved(tmp_path, interpreter_image())
    with pytest.raises(InterpreterImageError):
        known_images.check_known(image, {}, image.sha256[:15] if accepted is None else accepted)


def test_a_list_of_ones_own_makes_an_image_known(tmp_path: Path) -> None:
    image = saved(tmp_path, interpreter_image())
    path = tmp_path / "known.toml"
    path.write_text(f'[[image]]\nsha256 = "{image.sha256}"\nfile = "interpreter.bin"\n')
    known_images.check_known(image, known_images.known_hashes([path]), None)


@pytest.mark.parametrize(
    "text", ["[[image]]\n", "image = 1\n", "not toml", '[[image]]\nsha256 = "0"']
)
def test_a_list_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(InterpreterImageError, match=r"known\.toml: no list"):
        known_images.known_hashes([path])
