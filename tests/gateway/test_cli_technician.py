"""technician issue, and the enrolment file that a technician brings back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from wattle_gateway.cli import enrolment_file
from wattle_gateway.cli.main import main
from wattle_gateway.errors import UsageError
from wattle_gateway.pki import authority, keys

NOW = datetime(2026, 11, 20, 22, tzinfo=UTC)


def request(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str) -> Path:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    path.write_bytes(authority.pem(made))  # type: ignore[arg-type]
    return path


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    folder = tmp_path / "gateway"
    assert main(["init", str(folder), "--site", "substation-7", "--host", "localhost"]) == 0
    return folder


def test_a_technicians_authority_is_short_and_narrow() -> None:
    key = keys.new_p256()
    site = authority.SiteAuthority.create(keys.new_p256(), "grid")
    made = site.issue_technician(key.public_key(), "substation-7", "ada", NOW)
    made.verify_directly_issued_by(site.certificate)
    found = made.extensions
    constraints = found.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    names = found.get_extension_for_class(x509.NameConstraints)
    assert names.value.permitted_subtrees == [x509.DNSName("substation-7.wattle.internal")]
    assert not names.critical
    assert made.not_valid_after_utc == NOW + timedelta(days=30)
    assert made.subject.rfc4514_string() == "CN=substation-7 technician ada"


def test_the_gateway_issues_and_keeps_a_copy(
    gateway: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(tmp_path / "request.pem", keys.new_p256(), "ada")
    output = tmp_path / "authority.pem"
    words = ["technician", "issue", str(gateway), str(asked), "--output", str(output)]
    assert main(words) == 0
    assert "ada may name meters of substation-7 until" in capsys.readouterr().out
    [kept] = (gateway / "certificates" / "technicians").iterdir()
    assert kept.read_bytes() == output.read_bytes()
    # Of those that he names, mosquitto would want a revocation list of his own.
    written = tmp_path / "mosquitto"
    assert main(["broker-config", str(gateway), "--out", str(written)]) == 0
    assert not (written / "revoked.pem").exists()
    home = authority.load_certificate(gateway / "certificates" / "authority.pem")
    authority.load_certificate(output).verify_directly_issued_by(home)


def test_a_request_that_is_none_is_refused(
    gateway: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "request.pem", tmp_path / "authority.pem"
    words = ["technician", "issue", str(gateway), str(path), "--output", str(output)]

    def refused(expected: str) -> None:
        assert main(words) == 2
        assert expected in capsys.readouterr().err

    refused("cannot be read")
    path.write_bytes(b"-----BEGIN CERTIFICATE REQUEST-----\n")
    refused("not a request")
    request(path, rsa.generate_private_key(65_537, 2_048), "ada")
    refused("expected a P-256 key")
    request(path, keys.new_p256(), "a\nb")
    refused("expected one name")
    request(path, keys.new_p256(), "ada")
    words += ["--site", "Not A Site"]
    refused("--site")
    assert not output.exists()


POINT = {"d": 1, "ct": [200, 5], "vt": [1, 1], "orient": -1, "rating_w": 138_000}
GOOD = {"format": 1, "site": "s7", "proof": "d2", "points": [POINT]}


def test_an_enrolment_file_says_what_was_set_up() -> None:
    read = enrolment_file.parse(json.dumps(GOOD).encode(), "file")
    assert (read.proof, read.site) == (b"\xd2", "s7")
    assert read.points == (enrolment_file.FilePoint(1, [200, 5], [1, 1], -1, 138_000),)
    bare = enrolment_file.parse(b"\xd2\x84", "file")
    assert (bare.proof, bare.site, bare.points) == (b"\xd2\x84", None, ())


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"site": None},
        {"proof": "d"},
        {"proof": "00" * 1_025},
        {"points": []},
        {"points": [POINT] * 33},
        {"points": [7]},
        {"points": [POINT | {"ct": [0, 5]}]},
        {"points": [POINT | {"vt": [1]}]},
        {"points": [POINT | {"orient": 0}]},
        {"points": [POINT | {"d": True}]},
        {"points": [POINT | {"rating_w": -1}]},
    ],
)
def test_what_is_wrong_in_an_enrolment_file_is_named(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"file: .*expected"):
        enrolment_file.parse(json.dumps(GOOD | change).encode(), "file")


@pytest.mark.parametrize("data", [b"{", b'{"format": 1', b"{" + b" " * 20_000, b"[" * 9_000])
def test_garbage_is_no_enrolment_file(data: bytes) -> None:
    with pytest.raises(UsageError):
        enrolment_file.parse(data, "file")
