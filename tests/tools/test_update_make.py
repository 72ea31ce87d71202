"""wattle-tool update make: what it puts into a bundle, and what it does not make."""

import json
from pathlib import Path

import pytest
from wattle_hil.children.processes import ProcessGroup
from wattle_testkit.meter_site import LEDGER_ID, MeterSite
from wattle_tools import update_bundle
from wattle_tools.cli import main
from wattle_wire import bundle, update

CANNOT = 1


@pytest.fixture
def site_json(tmp_path: Path) -> Path:
    with ProcessGroup() as group:
        site = MeterSite(tmp_path, group)
        site.site_file()
        return site.folder / "site.json"


def make(path: Path, site_json: Path, *words: str) -> int:
    return main(["update", "make", str(path), "--site-file", str(site_json), *words])


def test_gateways_and_keys(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new.bundle"
    assert make(path, site_json, "--alliance", "--version", "7") == 0
    made = bundle.decode(path.read_bytes())
    assert made.ledger_id == LEDGER_ID
    assert made.signatures == []
    assert (made.update.version, made.update.name, made.update.board) == (7, "alliance of test", "")
    contents = dict(made.contents())
    assert list(contents) == ["alliance.json", "authority0.der"]
    content = json.loads(contents["alliance.json"])
    site = json.loads(site_json.read_bytes())
    assert content["members"] == [row["block_key"] for row in site["members"]]
    (gateway,) = content["gateways"]
    assert (gateway["host"], gateway["ca"]) == ("localhost", "authority0.der")
    said = capsys.readouterr().out
    assert said.startswith(f"version 7 (alliance of test), for ledger {LEDGER_ID.hex()}\n")
    assert "authority0.der" in said


def test_firmware(site_json: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.bundle"
    assert make(path, site_json, "--board", "linux") == 0
    made = bundle.decode(path.read_bytes())
    assert made.update.board == "linux"
    assert made.update.version > 1_700_000_000_000
    assert made.update.name.startswith("firmware 0.")
    ((name, size, _),) = made.update.files
    assert name == update.FIRMWARE
    assert 50_000 < size < update.FIRMWARE_BYTES_MAX
    assert update_bundle.ENTRY_FILE.encode() in made.stream
    names = json.loads((tmp_path / "new.bundle.names.json").read_bytes())
    rows = names["functions"].values()
    assert any("wattle_meter.journal:Journal.record" in row for row in rows)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing to update; give --board, --alliance or both"),
        (("--alliance", "--version", "0"), "no meter would take this update: "),
        (("--alliance", "--version", "-1"), "no meter would take this update: "),
        (("--alliance", "--name", "x" * 65), "no meter would take this update: "),
        (("--board", "linux", "--firmware", "/nowhere"), "/nowhere"),
    ],
)
def test_what_is_not_made(
    site_json: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
) -> None:
    path = tmp_path / "new.bundle"
    assert make(path, site_json, *words) == CANNOT
    assert says in capsys.readouterr().err
    assert not path.exists()


def test_one_member_alone_could_not_sign_the_next(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = json.loads(site_json.read_bytes())
    site["members"][1]["role"] = 7  # an observer
    site_json.write_text(json.dumps(site))
    assert make(tmp_path / "new.bundle", site_json, "--alliance") == CANNOT
    assert "names 1 members that vote, expected 2 or more" in capsys.readouterr().err


def test_site_files_of_two_ledgers(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    content = json.loads(site_json.read_bytes()) | {"ledger_id": "ff" * 16}
    other.write_text(json.dumps(content))
    words = ("--site-file", str(other), "--alliance")
    assert make(tmp_path / "new.bundle", site_json, *words) == CANNOT
    assert "of different ledgers" in capsys.readouterr().err
