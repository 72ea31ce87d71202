"""A technician's authority: taken only if it is for this key, this site and this alliance."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from wattle_gateway.pki import authority, keys
from wattle_gateway.pki.authority import SiteAuthority
from wattle_testkit.technician import SITE, Technician
from wattle_tools.cli import main


def taken(source: Path) -> int:
    return main(["site", "authority", SITE, str(source)])


def test_a_site_says_until_when_meters_can_be_named(
    ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["site", "list"]) == 0
    assert f"{SITE}  ledger {ada.ledger_id.hex()}  no authority yet" in capsys.readouterr().out
    ada.take_authority()
    assert main(["site", "list"]) == 0
    assert "names meters until" in capsys.readouterr().out
    assert main(["site", "list", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["sites"]
    assert (row["site"], row["gateways"]) == (SITE, ["gateway.example:8883"])
    assert main(["site", "add", str(ada.site_json), "--json"]) == 0
    assert Path(json.loads(capsys.readouterr().out)["request"]).is_file()
    assert main(["site", "authority", SITE, str(ada.authority_file()), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["until"] > row["until"][:10]
    assert (ada.home / "sites" / SITE / "authority.key").stat().st_mode & 0o077 == 0


def test_adding_a_site_again_keeps_its_key(ada: Technician) -> None:
    key = ada.home / "sites" / SITE / "authority.key"
    before = key.read_bytes()
    ada.add_site()
    assert key.read_bytes() == before


def test_that_of_another_site_is_refused(
    ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    assert taken(ada.authority_file("substation-8")) == 8
    said = capsys.readouterr().err
    assert f"for meters of substation-8.wattle.internal, expected {SITE}" in said


def test_that_of_another_key_alliance_or_kind_is_refused(
    ada: Technician, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)

    def refused(content: bytes, expected: str) -> None:
        path = tmp_path / "offered.pem"
        path.write_bytes(content)
        assert taken(path) == 8
        assert expected in capsys.readouterr().err

    request = (ada.home / "sites" / SITE / "request.pem").read_bytes()
    public = x509.load_pem_x509_csr(request).public_key()
    other = ada.root.issue_technician(keys.new_p256().public_key(), SITE, "ada", now)
    refused(authority.pem(other), "made for another key")
    stranger = SiteAuthority.create(keys.new_p256(), "stranger")
    foreign = stranger.issue_technician(public, SITE, "ada", now)  # type: ignore[arg-type]
    refused(authority.pem(foreign), "from no site authority of this alliance")
    refused(authority.pem(ada.root.certificate), "not the authority of a technician")
    refused(b"garbage", "not the authority of a technician")
    refused(bytes(10_000), "more than")
    assert not (ada.home / "sites" / SITE / "authority.pem").exists()


def test_what_was_taken_and_is_damaged_since_is_told(
    ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    ada.take_authority()
    (ada.home / "sites" / SITE / "authority.pem").write_bytes(b"-----BEGIN CERTIFICATE-----")
    assert main(["site", "list"]) == 0
    assert "not usable" in capsys.readouterr().out


def test_a_site_of_another_ledger_has_no_place_beside_it(
    ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ada.site_json.read_text()
    ada.site_json.write_text(text.replace(ada.ledger_id.hex(), "ff" * 16))
    assert main(["site", "add", str(ada.site_json)]) == 7
    assert "keep sites of different ledgers in different folders" in capsys.readouterr().err
    assert main(["site", "add", str(ada.site_json), "--site", "../up"]) == 7
    assert "is no name of a site" in capsys.readouterr().err


def test_where_no_site_is_known_or_no_folder_is_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["provision", str(tmp_path / "board"), "--port", "/dev/null", "--profile", "sdm120"]
    assert main(words) == 7
    assert "no site is known; add one with `wattle-tool site add`" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["--home", str(tmp_path / "file"), "site", "list"]) == 1
    assert f"{tmp_path / 'file'} is no folder" in capsys.readouterr().err
