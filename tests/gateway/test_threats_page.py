"""gateway/THREATS.md and gateway/STORAGE.md name only what there is."""

import re
from pathlib import Path

from wattle_gateway.sealing import keyring, row_seal, storage_key

ROOT = Path(__file__).parents[2]
THREATS = (ROOT / "gateway/THREATS.md").read_text()
STORAGE = (ROOT / "gateway/STORAGE.md").read_text()


def test_every_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", THREATS))
    assert len(named) > 30
    defined: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        defined.update(re.findall(r"^\s*def (test_\w+)", path.read_text(), re.MULTILINE))
    assert sorted(named - defined) == []


def test_every_line_of_a_table_names_a_test_or_says_nothing_stops_it() -> None:
    lines = [line for line in THREATS.splitlines() if line.startswith("| ")]
    rows = [line for line in lines if not line.startswith(("| he wants", "| what happens"))]
    assert len(rows) > 20
    for row in rows:
        assert "`test_" in row or "**nothing**" in row, row


def test_the_numbers_of_the_format_are_those_of_the_code() -> None:
    assert f"{row_seal.OVERHEAD_BYTES} bytes more than the value" in STORAGE
    assert f"`number ({row_seal.NUMBER_BYTES}, big-endian)" in STORAGE
    assert "N = 2^15, r = 8, p = 3" in STORAGE
    assert (storage_key.SCRYPT_N, storage_key.SCRYPT_R, storage_key.SCRYPT_P) == (1 << 15, 8, 3)
    assert f"1 to {keyring.NUMBER_MAX:,}" in STORAGE
    assert keyring.SEALS_A_STEP == 1 << 20
    assert f"at least {storage_key.PASSPHRASE_CHARS_LEAST} characters" in STORAGE


def test_every_form_of_a_storage_key_is_explained() -> None:
    table = STORAGE.partition("| form | the key |")[2].partition("\n\n")[0]
    forms = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert ", ".join(forms[:-1]) + f" or {forms[-1]}" == storage_key.FORMS
