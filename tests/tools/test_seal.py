"""Steps that seal a chip: prepared only when confirmed, and such that espefuse takes them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from wattle_hil import parts
from wattle_hil.parts import PartMissingError
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.serial_boards import flash_content, mac, put
from wattle_tools.cli import main
from wattle_tools.seal import steps

MAC = mac(1).hex(":")
# (what counts the encryption, its value once sealed, bits that are set then)
SEALED = {
    "esp32": (
        *("FLASH_CRYPT_CNT", "127"),
        *("DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE", "JTAG_DISABLE"),
        "UART_DOWNLOAD_DIS",
    ),
    "esp32s3": (
        *("SPI_BOOT_CRYPT_CNT", "Enable"),
        *("DIS_DOWNLOAD_MANUAL_ENCRYPT", "DIS_DOWNLOAD_ICACHE", "DIS_DOWNLOAD_DCACHE"),
        *("DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DIRECT_BOOT", "ENABLE_SECURITY_DOWNLOAD"),
    ),
    "esp32c3": (
        *("SPI_BOOT_CRYPT_CNT", "Enable"),
        *("DIS_DOWNLOAD_MANUAL_ENCRYPT", "DIS_DOWNLOAD_ICACHE"),
        *("DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DIRECT_BOOT", "ENABLE_SECURITY_DOWNLOAD"),
    ),
}
# What nobody can change any more.
PROTECTED = {
    "esp32": ("DIS_CACHE",),
    "esp32s3": ("DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DOWNLOAD_DCACHE", "DIS_FORCE_DOWNLOAD"),
    "esp32c3": ("DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DOWNLOAD_ICACHE", "DIS_FORCE_DOWNLOAD"),
}
KEY = bytes(range(32))


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


def test_a_c3_has_the_steps_of_its_own_chip(
    port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # MicroPython's name of the generic board for this chip.
    put(
        port,
        "/boot.py",
        b"import sys\ni = sys.implementation\n"
        b"sys.implementation = type(i)(i[0], i[1], 'ESP32C3 module with ESP32C3', i[3])\n",
    )
    folder = tmp_path / "seal"
    words = ["seal", "--port", port, "--output", str(folder), "--confirm", MAC, "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["chip"] == "esp32c3"
    text = (folder / "steps.txt").read_text()
    assert text == steps.written("esp32c3", MAC)
    assert "begins at\n   0x0)" in text
    assert "FLASH_CRYPT_CNT" not in text


def run(folder: Path, *words: str) -> str:
    """What one of esptool's programs says."""
    program = [sys.executable, "-m", *words]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("chip", SEALED)
def test_the_real_espefuse_takes_the_steps_for_a_virtual_chip(chip: str, tmp_path: Path) -> None:
    (tmp_path / steps.KEY_FILE).write_bytes(KEY)
    text = steps.written(chip, MAC)
    commands = re.findall(rf"espefuse --chip {chip} --port PORT (.*)", text)
    assert len(commands) == len(steps.STEPS[chip])
    virtual = ["--chip", chip, "--virt", "--path-efuse-file", "efuses.bin", "--do-not-confirm"]
    # Each by itself, as it is typed: what is protected too early would be refused.
    for command in commands:
        run(tmp_path, "espefuse", *virtual, *command.split())
    said = run(tmp_path, "espefuse", *virtual, "summary")
    field, value, *true = SEALED[chip]
    assert re.search(rf"{field} .* = {value} ", said)
    for name in true:
        assert re.search(rf"{name} .* = True ", said), name
    for name in PROTECTED[chip]:
        assert re.search(rf"{name} .* R/- ", said), name
    # The key cannot be read back.
    assert KEY.hex(" ") not in said
    assert KEY[::-1].hex(" ") not in said


@pytest.mark.parametrize("chip", SEALED)
def test_the_real_espsecure_takes_the_key(chip: str, tmp_path: Path) -> None:
    (tmp_path / steps.KEY_FILE).write_bytes(KEY)
    plain = KEY * 16
    (tmp_path / "PART.bin").write_bytes(plain)
    text = steps.written(chip, MAC).replace("\\\n", "")
    [command] = re.findall(r"espsecure (.*)", text.replace("ADDRESS ", "0x10000 "))
    run(tmp_path, "espsecure", *command.split())
    cipher = (tmp_path / "PART.enc").read_bytes()
    assert len(cipher) == len(plain)
    assert cipher != plain
    back = command.replace("encrypt-flash", "decrypt-flash").replace("PART.bin", "PART.enc")
    run(tmp_path, "espsecure", *back.replace("--output PART.enc", "--output back").split())
    assert (tmp_path / "back").read_bytes() == plain
    if chip != "esp32":
        assert cipher == xts_of_espressif(KEY, 0x10000, plain)


def xts_of_espressif(key: bytes, address: int, plain: bytes) -> bytes:
    """AES-XTS as ESP-IDF's guide of flash encryption has it: units of 1,024 bits, whose number is
    their address; data and result of each unit in reverse order of bytes.
    """
    found = b""
    for at in range(0, len(plain), 128):
        tweak = (address + at).to_bytes(16, "little")
        cipher = Cipher(algorithms.AES(key), modes.XTS(tweak))
        found += cipher.encryptor().update(plain[at : at + 128][::-1])[::-1]
    return found


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
