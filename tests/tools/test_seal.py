"""Steps that seal a chip: prepared only when confirmed, and such that espefuse takes them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.parts import PartMissingError
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.serial_boards import flash_content, mac
from wattle_tools.cli import main
from wattle_tools.seal import steps

MAC = mac(1).hex(":")
# (chip, what its summary says when it is sealed)
SEALED = {
    "esp32": ("FLASH_CRYPT_CNT", "127", "DISABLE_DL_DECRYPT", "JTAG_DISABLE", "UART_DOWNLOAD_DIS"),
    "esp32s3": ("SPI_BOOT_CRYPT_CNT", "Enable", "DIS_PAD_JTAG", "ENABLE_SECURITY_DOWNLOAD"),
}


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))
    with BoardBench(tmp_path) as bench:
        yield bench.add(mac(1), flash_content(interpreter_image()))


def test_nothing_is_prepared_without_the_boards_mac(
    port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "seal"
    words = ["seal", "--port", port, "--output", str(folder)]
    for more in ([], ["--confirm", "yes"], ["--confirm", mac(2).hex(":")]):
        assert main([*words, *more]) == 7
        assert "have not been run on silicon" in capsys.readouterr().err
        assert not folder.exists()
    assert main([*words, "--confirm", MAC]) == 0
    said = capsys.readouterr()
    assert "nothing was burnt; these steps have not been run on silicon" in said.err
    assert (folder / steps.KEY_FILE).stat().st_mode & 0o077 == 0
    assert len((folder / steps.KEY_FILE).read_bytes()) == 32
    assert f"Sealing {MAC} (esp32). NOT RUN ON SILICON" in (folder / "steps.txt").read_text()
    assert main([*words[:-1], f"{folder}2", "--confirm", MAC, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["burnt"] is False
    # A second time would lose the key of the first.
    assert main([*words, "--confirm", MAC]) == 7
    assert "perhaps with a key that is in use" in capsys.readouterr().err
    assert main(["audit", "--action", "seal"]) == 0
    assert f"seal  {MAC}  prepared" in capsys.readouterr().out


@pytest.mark.parametrize("chip", SEALED)
def test_the_real_espefuse_takes_the_steps_for_a_virtual_chip(chip: str, tmp_path: Path) -> None:
    (tmp_path / steps.KEY_FILE).write_bytes(bytes(range(32)))
    text = steps.written(chip, MAC)
    commands = re.findall(rf"espefuse --chip {chip} --port PORT (.*)", text)
    assert len(commands) == len(steps.STEPS[chip])
    key, *others = [command.split() for command in commands]
    fields = [word for command in others for word in command[1:]]
    assert {command[0] for command in others} == {"burn-efuse"}
    virtual = ["--chip", chip, "--virt", "--path-efuse-file", "efuses.bin", "--do-not-confirm"]
    for words in (key, ["burn-efuse", *fields], ["summary"]):
        done = subprocess.run(
            [sys.executable, "-m", "espefuse", *virtual, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    field, value, *true = SEALED[chip]
    assert re.search(rf"{field} .* = {value} ", done.stdout)
    for name in true:
        assert re.search(rf"{name} .* = True ", done.stdout), name
    # The key cannot be read back.
    assert bytes(range(32)).hex(" ") not in done.stdout
    assert bytes(reversed(range(32))).hex(" ") not in done.stdout


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("ESP32", "esp32"),
        ("ESP32-D0WD-V3 (revision v3.0)", "esp32"),
        ("ESP32-PICO-D4", "esp32"),
        ("ESP32S3", "esp32s3"),
        ("ESP32-S3 (QFN56)", "esp32s3"),
        ("ESP32-C3", "esp32c3"),
        ("ESP32-S2", None),
        ("ESP32C6", None),
        ("ESP32-P4", None),
        ("RP2040", None),
        ("", None),
    ],
)
def test_only_chips_with_known_steps_have_some(name: str, chip: str | None) -> None:
    assert steps.chip_of(name) == chip
