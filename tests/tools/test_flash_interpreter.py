"""The interpreter goes on chips through the real esptool, and the board's keys stay."""

from pathlib import Path

import pytest
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_hil.serial_board.program_image import NVS_AT, interpreter_image
from wattle_testkit.serial_boards import flash, flash_content, found, mac, saved, small_application
from wattle_tools.boards import identity
from wattle_tools.errors import BOARD_FAILED, DONE, IMAGE_REFUSED, NO_BOARD, READ_BACK_DIFFERS
from wattle_tools.flash import fleet
from wattle_tools.flash.job import THERE, WRITTEN, JobResult, Order
from wattle_tools.flash.table import SilentView

OLD = flash_content(interpreter_image("1.25.0"))
NEW = interpreter_image("1.26.1")
KEYS = b"a private key of the meter's"
S3 = 9


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(small_application(), saved(tmp_path, NEW))


def flash_one(port: str, order: Order) -> JobResult:
    [result] = flash([port], order)
    return result


def check_holds(bench: BoardBench, image: bytes) -> None:
    """The flash holds the image, but for what the board keeps itself."""
    held = bench.flash(mac(1)).read(0x1000, len(image))
    own = slice(NVS_AT - 0x1000, NVS_AT - 0x1000 + len(KEYS))
    assert held[: own.start] == image[: own.start]
    assert held[own.stop :] == image[own.stop :]


def test_a_bare_chip_becomes_a_board_with_the_application(bench: BoardBench, order: Order) -> None:
    port = bench.add(mac(1))
    result = flash_one(port, order)
    assert result.code == DONE
    assert result.done == {"interpreter": WRITTEN, "application": WRITTEN}
    check_holds(bench, NEW)
    board = found(port)
    assert board.state == identity.INSTALLED
    assert board.contents is not None
    assert board.contents.interpreter.version == (1, 26, 1)


def test_a_new_interpreter_leaves_keys_and_files(bench: BoardBench, order: Order) -> None:
    port = bench.add(mac(1), OLD)
    assert flash_one(port, Order(order.application)).code == DONE
    bench.flash(mac(1)).write(NVS_AT, KEYS)
    result = flash_one(port, order)
    # Its mark is withdrawn for the time of writing, and made anew.
    assert (result.code, result.done) == (DONE, {"interpreter": WRITTEN, "application": WRITTEN})
    assert bench.flash(mac(1)).read(NVS_AT, len(KEYS)) == KEYS
    check_holds(bench, NEW)
    again = flash_one(port, order)
    assert again.done == {"interpreter": THERE, "application": THERE}


def test_a_worn_cell_fails_the_md5_and_the_board_is_named(bench: BoardBench, order: Order) -> None:
    port = bench.add(mac(1), OLD)
    assert flash_one(port, Order(order.application)).code == DONE
    port = bench.plug_in(mac(1), Faults(stuck_at=0x12345))
    result = flash_one(port, order)
    assert (result.name, result.code) == ("24:0a:c4:00:00:01", READ_BACK_DIFFERS)
    assert "does not hold what was written" in result.reason
    assert "take another board" in result.advice
    assert found(port).state == identity.HALF_DONE


def test_a_chip_pulled_out_while_it_is_written_is_written_again(
    bench: BoardBench, order: Order
) -> None:
    # Asking, comparing and the stub take 20 kB; then the image is under way.
    port = bench.add(mac(1), OLD, Faults(unplug_after=30_000))
    result = flash_one(port, order)
    assert result.code == BOARD_FAILED
    assert "the line broke" in result.reason
    port = bench.plug_in(mac(1), Faults())
    half = bench.flash(mac(1)).read(0x1000, len(NEW))
    assert half != OLD[0x1000:]
    assert half != NEW
    assert flash_one(port, order).done["interpreter"] == WRITTEN
    check_holds(bench, NEW)
    assert found(port).state == identity.INSTALLED


def test_an_image_for_another_chip_is_not_written(bench: BoardBench, tmp_path: Path) -> None:
    image = saved(tmp_path, interpreter_image(chip=S3))
    port = bench.add(mac(1), OLD)
    before = bench.flash(mac(1)).read(0, len(OLD))
    result = flash_one(port, Order(small_application(), image))
    assert result.code == IMAGE_REFUSED
    assert "is for ESP32-S3, the board has ESP32" in result.reason
    assert bench.flash(mac(1)).read(0, len(OLD)) == before


def test_boards_that_changed_places_are_noticed(bench: BoardBench, order: Order) -> None:
    port = bench.add(mac(1), OLD)
    seen = found(port)
    other = bench.add(mac(2), OLD)
    moved = identity.FoundBoard(other, seen.mac, seen.chip, seen.state, seen.contents)
    for wanted in (order, Order(order.application)):
        [result] = fleet.run([moved], wanted, SilentView())
        assert (result.code, "another board" in result.reason) == (NO_BOARD, True)
    assert found(other).state == identity.EMPTY


def test_a_layout_that_would_cost_keys_or_files_is_refused(
    bench: BoardBench, tmp_path: Path
) -> None:
    port = bench.add(mac(1), OLD)
    bench.flash(mac(1)).write(NVS_AT, KEYS)
    smaller_nvs = saved(tmp_path, interpreter_image("1.26.1", nvs_bytes=0x4000))
    refused = flash_one(port, Order(small_application(), smaller_nvs))
    assert (refused.code, "keys would be lost" in refused.reason) == (IMAGE_REFUSED, True)
    assert "--new-keys" in refused.advice
    other_files = saved(tmp_path, interpreter_image("1.26.1", files_bytes=0x80000))
    refused = flash_one(port, Order(small_application(), other_files))
    assert (refused.code, "unsent samples" in refused.reason) == (IMAGE_REFUSED, True)
    assert "--erase-files" in refused.advice
    assert bench.flash(mac(1)).read(0, len(OLD)).replace(KEYS, b"\xff" * len(KEYS)) == OLD
    order = Order(small_application(), other_files, erase_files=True)
    assert flash_one(port, order).code == DONE
    assert bench.flash(mac(1)).read(NVS_AT, len(KEYS)) == KEYS
    order = Order(small_application(), smaller_nvs, erase_files=True, new_keys=True)
    assert flash_one(port, order).code == DONE
