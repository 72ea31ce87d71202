"""The steps that make a chip's flash memory unreadable to who holds it, as commands of espefuse.

From ESP-IDF Programming Guide, of each chip: "Security Features Enablement Workflows", section
"Enable Flash Encryption Externally", steps 3 to 5 and 8, which name eFuses by chip; its page "Flash
Encryption" says what each does. The order is that guide's: what write-protects comes behind what it
protects, and what shuts the serial loader last, since espefuse burns nothing behind it.
None of this has been run on silicon by this project: espefuse takes the commands for a virtual chip
(`--virt`), and espsecure encrypts and decrypts by the key, which is how they are tested.

What they cannot do alone: MicroPython as micropython.org builds it has no flash encryption (its
sdkconfig says so), and whoever reaches its prompt reads NVS however the flash is kept. So a chip is
sealed only with an interpreter that was built for it: flash encryption and NVS encryption on, and
no prompt. Until the firmware says so itself, the meter's key protection stays `file`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

KEY_BYTES = 32
KEY_FILE = "flash-encryption.key"


@dataclass(frozen=True)
class Step:
    """`why` it is done, and the words of espefuse's command behind its port and chip."""

    why: str
    command: tuple[str, ...]


_CLASSIC = (
    Step(
        "the chip's key; afterwards nobody reads it, not even the chip's own program",
        ("burn-key", "flash_encryption", KEY_FILE),
    ),
    Step(
        "all address bits go into the cipher, and encryption is on for good",
        ("burn-efuse", "FLASH_CRYPT_CONFIG", "0xF", "FLASH_CRYPT_CNT", "127"),
    ),
    Step(
        "the serial loader neither decrypts nor encrypts, and sees no cache",
        (
            *("burn-efuse", "DISABLE_DL_ENCRYPT", "1", "DISABLE_DL_DECRYPT", "1"),
            *("DISABLE_DL_CACHE", "1"),
        ),
    ),
    Step("no debugger", ("burn-efuse", "JTAG_DISABLE", "1")),
    Step("nobody burns the cache away", ("write-protect-efuse", "DIS_CACHE")),
    Step(
        "no serial loader at all (revision 3 and later): the chip takes no other interpreter ever",
        ("burn-efuse", "UART_DOWNLOAD_DIS", "1"),
    ),
)


def _newer(caches: Sequence[str]) -> tuple[Step, ...]:
    """Of the chips whose cipher is AES-XTS; `caches`: what the serial loader sees flash through."""
    closed = [word for name in ("DIS_DOWNLOAD_MANUAL_ENCRYPT", *caches) for word in (name, "1")]
    return (
        Step(
            "the chip's key; afterwards nobody reads it, not even the chip's own program",
            ("burn-key", "BLOCK_KEY0", KEY_FILE, "XTS_AES_128_KEY"),
        ),
        Step("encryption is on for good", ("burn-efuse", "SPI_BOOT_CRYPT_CNT", "7")),
        Step(
            "the serial loader encrypts nothing, and sees no cache",
            ("burn-efuse", *closed),
        ),
        Step(
            "no debugger, by pins or by USB; no start past the second-stage loader",
            ("burn-efuse", "DIS_PAD_JTAG", "1", "DIS_USB_JTAG", "1", "DIS_DIRECT_BOOT", "1"),
        ),
        Step(
            "nobody burns the cache away, or what else of this group is left (one bit protects it)",
            ("write-protect-efuse", "DIS_ICACHE"),
        ),
        Step(
            "the serial loader reads no memory any more, and espefuse burns nothing more",
            ("burn-efuse", "ENABLE_SECURITY_DOWNLOAD", "1"),
        ),
    )


# soc_caps.h of each chip says which it has: an ESP32-C3 has one cache for instructions and data.
STEPS: Mapping[str, Sequence[Step]] = {
    "esp32": _CLASSIC,
    "esp32s3": _newer(("DIS_DOWNLOAD_ICACHE", "DIS_DOWNLOAD_DCACHE")),
    "esp32c3": _newer(("DIS_DOWNLOAD_ICACHE",)),
}
# The first chip's cipher is its own, the others' is AES-XTS.
CIPHER_OPTION: Mapping[str, str] = {"esp32": "", "esp32s3": " --aes-xts", "esp32c3": " --aes-xts"}
# Where the second-stage loader begins: what is encrypted for another address is noise.
LOADER_AT: Mapping[str, str] = {"esp32": "0x1000", "esp32s3": "0x0", "esp32c3": "0x0"}


def chip_of(name: str) -> str | None:
    """Our name of the chip that esptool or MicroPython names; None if there are no steps for it."""
    letters = name.lower().replace("-", "")
    for chip in ("esp32s3", "esp32c3"):
        if letters.startswith(chip):
            return chip
    # esp32s2, esp32c6, esp32h2, .. are others; esp32d0wd, esp32picod4 are packages of this one.
    is_other = letters[5:6] in ("s", "c", "h", "p") and letters[6:7].isdigit()
    return "esp32" if letters.startswith("esp32") and not is_other else None


def written(chip: str, mac: str) -> str:
    """The steps for a chip as a text that is read and typed, one command a step."""
    lines = [
        f"Sealing {mac} ({chip}). NOT RUN ON SILICON by this project: try it on a board that",
        "you can lose. Each espefuse step is for good; a chip that is sealed wrongly is waste.",
        "",
        "Needed: an interpreter built for this, with flash encryption and NVS encryption on and",
        "no prompt. MicroPython as micropython.org builds it has none of these; with it, these",
        "steps end in a chip that does not start.",
        "",
        "1. Keep a copy of nothing: when all is done, destroy " + KEY_FILE + ".",
        "2. Encrypt each part of the interpreter for its address (its loader begins at",
        f"   {LOADER_AT[chip]}), and write it:",
        f"     espsecure encrypt-flash-data --keyfile {KEY_FILE}{CIPHER_OPTION[chip]} \\",
        "         --address ADDRESS --output PART.enc PART.bin",
        f"     esptool --chip {chip} --port PORT write-flash --force ADDRESS PART.enc",
    ]
    for number, step in enumerate(STEPS[chip], 3):
        lines.append(f"{number}. {step.why}:")
        lines.append(f"     espefuse --chip {chip} --port PORT {' '.join(step.command)}")
    number = len(STEPS[chip]) + 3
    lines += [
        f"{number}. Enrol the meter anew: a key that lay open before stays open.",
        "",
    ]
    return "\n".join(lines)
