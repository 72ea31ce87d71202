"""Every board file of the tree is sound, said to be what it is, and on the page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_meter import board_file

FIRMWARE = Path(__file__).parents[2] / "firmware"
FILES = sorted((FIRMWARE / "boards").glob("*.json"))
CHECK = FIRMWARE / "boards" / "check_board.py"
PAGE = (FIRMWARE / "BOARDS.md").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_board_is_sound_and_on_the_page(path: Path) -> None:
    found = board_file.load(str(path))
    content = json.loads(path.read_text())
    [row] = re.findall(rf"^\| `{path.stem}` \| (.+)$", PAGE, re.MULTILINE)
    _, rs485, relays, led, button = [cell.strip() for cell in row.rstrip("|").split("|")]
    assert relays == (str(len(found.relays)) if found.relays else "-")
    assert led == ("-" if found.led is None else {"ws2812": "WS2812"}.get(found.led[1], "plain"))
    assert (button == "-") == (found.button is None)
    if "direction by pin" in rs485 or "add a transceiver" in rs485:
        assert found.uart[3] is not None
    else:
        assert found.uart[3] is None
    assert f"`{path.stem}`" in PAGE.split("## Where the pins come from")[1]
    assert all(
        source.startswith(("https://", "firmware/BOARDS.md")) for source in content["sources"]
    )


def test_the_page_names_no_board_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `([a-z0-9-]+-[a-z0-9-]+)` \|", PAGE, re.MULTILINE))
    assert named == {path.stem for path in FILES}
    chips = {board_file.load(str(path)).chip for path in FILES}
    assert chips == {"esp32", "esp32s3", "esp32c3"}


@pytest.mark.parametrize("interpreter", ["python", "micropython"])
def test_a_technician_checks_a_file(tmp_path: Path, interpreter: str) -> None:
    program = sys.executable if interpreter == "python" else str(parts.micropython(64))
    good = FIRMWARE / "boards" / "esp32-devkitc.json"
    mine = tmp_path / "mine.json"
    content = json.loads(good.read_text())
    content["uart"]["tx"] = 34
    mine.write_text(json.dumps(content))
    broken = tmp_path / "broken.json"
    broken.write_text("pins")

    def check(*paths: Path) -> tuple[int, str]:
        done = subprocess.run(
            [program, CHECK, *paths], capture_output=True, text=True, timeout=20, check=False
        )
        return done.returncode, done.stdout

    code, text = check(good)
    assert (code, text) == (
        0,
        "esp32-devkitc.json: esp32, UART2 tx 25 rx 26, direction 27, button 0\n",
    )
    code, text = check(good, mine, broken, tmp_path / "absent.json")
    assert code == 1
    assert "mine.json: uart.tx: 34, expected a pin that can drive" in text
    assert "broken.json: not JSON" in text
    assert "absent.json" in text
    assert check()[0] == 2
