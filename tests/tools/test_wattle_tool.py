"""wattle-tool: what it sets up the firmware accepts, and what is wrong it names."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import authority, keys
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_testkit.meter_site import LEDGER_ID, MeterSite
from wattle_testkit.technician import Technician
from wattle_tools import proof
from wattle_tools.board_folder import DeviceChoice, LoadChoice
from wattle_tools.cli import main
from wattle_tools.errors import BoardError


@pytest.fixture
def site(tmp_path: Path) -> Iterator[MeterSite]:
    with ProcessGroup() as group:
        site = MeterSite(tmp_path, group)
        site.site_file()
        yield site


@pytest.fixture
def site_json(site: MeterSite) -> Path:
    return site.folder / "site.json"


def provision(board: Path, site_json: Path, *options: str) -> int:
    interpreter = str(parts.micropython(64))
    fixed = ["--site-file", str(site_json), "--micropython", interpreter, "--port", "/dev/null"]
    return main(["provision", str(board), *fixed, *(options or ("--profile", "sdm120"))])


def test_a_board_is_set_up_and_says_who_it_is(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board"
    assert provision(board, site_json, "--profile", "sdm120", "--unit", "7") == 0
    said = capsys.readouterr()
    found = proof.verified(board, LEDGER_ID)
    assert said.out == f"{found.meter}\n"
    assert found.eui64.hex() in said.err
    config = json.loads((board / "config.json").read_bytes())
    assert config["site"] == "substation-7"
    assert config["interval_ms"] == 1_000
    assert config["devices"] == [{"d": 1, "profile": "sdm120", "unit": 7}]
    assert config["board"] == {"port": "/dev/null"}
    assert (board / "profiles" / "sdm120.json").is_file()
    assert x509.load_der_x509_certificate((board / "authority0.der").read_bytes())
    for path in (board / "nvs").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_a_second_time_renews_the_configuration_and_keeps_the_keys(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board"
    assert provision(board, site_json) == 0
    first = capsys.readouterr().out
    options = ("--device", "3:sdm630:9:ei,p1", "--interval-ms", "5000", "--site", "other")
    assert provision(board, site_json, *options) == 0
    assert capsys.readouterr().out == first
    config = json.loads((board / "config.json").read_bytes())
    assert (config["interval_ms"], config["site"]) == (5_000, "other")
    [device] = config["devices"]
    assert device == {"d": 3, "profile": "sdm630", "unit": 9, "quantities": ["ei", "p1"]}


def test_all_that_can_be_chosen_reaches_the_configuration(site_json: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    options = ["--profile", "sdm120", "--device", "2:sdm120:2"]
    options += ["--baud", "4800", "--parity", "E", "--stop-bits", "2", "--interval-ms", "10000"]
    options += ["--outbox-bytes", "70000", "--eui64", "0102030405060708"]
    assert provision(board, site_json, *options) == 0
    config = json.loads((board / "config.json").read_bytes())
    assert config["line"] == {"baud": 4_800, "parity": "E", "stop_bits": 2}
    assert config["outbox_bytes"] == 70_000
    assert proof.verified(board, LEDGER_ID).eui64 == bytes.fromhex("0102030405060708")


def with_others(site_json: Path, path: Path, *ports: int) -> Path:
    """A site file whose gateways have these ports and link keys drawn from them."""
    content = json.loads(site_json.read_bytes())
    row = content["gateways"][0]
    content["gateways"] = [{**row, "port": port, "link_key": link_key(port)} for port in ports]
    path.write_text(json.dumps(content))
    return path


def link_key(number: int) -> str:
    point = ec.derive_private_key(number, ec.SECP256R1()).public_key()
    return point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()


def test_a_board_is_given_all_gateways_of_the_alliance(site_json: Path, tmp_path: Path) -> None:
    first = with_others(site_json, tmp_path / "first.json", 1, 2, 3, 4)
    second = with_others(site_json, tmp_path / "second.json", 3, 4, 1, 5)
    board = tmp_path / "board"
    options = ("--profile", "sdm120", "--site-file", str(second))
    assert provision(board, first, *options) == 0
    gateways = json.loads((board / "config.json").read_bytes())["gateways"]
    # Those that the technician named, then the rest, each once.
    assert [gateway["port"] for gateway in gateways] == [1, 3, 2, 4, 5]
    assert [gateway["link_public"] for gateway in gateways] == [
        link_key(number) for number in (1, 3, 2, 4, 5)
    ]
    assert [gateway["ca"] for gateway in gateways] == [
        f"authority{number}.der" for number in range(5)
    ]


def test_a_board_is_given_no_more_gateways_than_it_takes(site_json: Path, tmp_path: Path) -> None:
    many = with_others(site_json, tmp_path / "many.json", *range(1, 21))
    assert provision(tmp_path / "board", many, "--profile", "sdm120") == 0
    config = json.loads((tmp_path / "board" / "config.json").read_bytes())
    assert [gateway["port"] for gateway in config["gateways"]] == list(range(1, 9))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--profile", "sdm999"), "'sdm999' is not in profiles; there are em340, "),
        (
            ("--profile", "sdm120", "--load", "1:kettle:rest_w=0"),
            "'kettle' is not in loads; there are bench-load, ",
        ),
        (
            ("--profile", "sdm120", "--load", "1:bench-load:rest_w=0,relay=0"),
            "config.json: loads[0].unit: nothing, expected unit or relay",
        ),
        (
            ("--profile", "sdm120", "--load", "1:relay-2kw:rest_w=0,relay=0"),
            "config.json: board.relays: nothing, expected a list of 1",
        ),
        (("--profile", "sdm120", "--load", "2:bench-load:rest_w=0,unit=9"), "not 2"),
        (("--profile", "sdm120", "--unit", "0"), "config.json: devices[0].unit: 0, expected"),
        (("--profile", "sdm120", "--site", "No Such"), "config.json: site: 'No Such', expected"),
        (("--profile", "sdm120", "--device", "2:sdm120:1"), "each d and each unit once"),
        (("--profile", "sdm120", "--interval-ms", "100"), "the interval is 100 ms"),
        (("--profile", "sdm120", "--interval-ms", "5"), "interval_ms: 5, expected an integer 100"),
        (("--device", "1:sdm120:1:p2"), "sdm120 has no quantity 'p2'"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    site_json: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    complaint: str,
) -> None:
    assert provision(tmp_path / "board", site_json, *options) == 1
    assert complaint in capsys.readouterr().err


def test_a_board_without_a_device_measures_nothing(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision(tmp_path / "board", site_json, "--outbox-bytes", "70000") == 7
    assert "no metering device; give --profile" in capsys.readouterr().err


def test_a_board_is_given_its_transformers(site_json: Path, tmp_path: Path) -> None:
    more = ("--device", "2:sdm120:2", "--ct", "1:100/5", "--vt", "2:10000/100", "--reversed", "2")
    assert provision(tmp_path / "board", site_json, "--profile", "sdm120", *more) == 0
    config = json.loads((tmp_path / "board" / "config.json").read_bytes())
    assert [(row.get("ct"), row.get("vt"), row.get("orient")) for row in config["devices"]] == [
        ([100, 5], None, None),
        (None, [10_000, 100], -1),
    ]


def test_a_technicians_site_names_a_linux_board(
    site: MeterSite, site_json: Path, tmp_path: Path, tool_home: Path
) -> None:
    ada = Technician(tmp_path / "ada", tool_home, site.authority)
    ada.folder.mkdir()
    shutil.copyfile(site_json, ada.folder / "site.json")
    ada.add_site()
    ada.take_authority()
    board = tmp_path / "board"
    words = [str(board), "--micropython", str(parts.micropython(64)), "--port", "/dev/null"]
    words += ["--profile", "sdm120", "--ct", "100/5"]
    assert main(["provision", *words]) == 0
    found = proof.verified(board, LEDGER_ID)
    file = json.loads((board / f"{found.meter}.enrol.json").read_text())
    assert (file["points"][0]["ct"], file["site"]) == ([100, 5], "substation-7")
    leaf, issuer = x509.load_pem_x509_certificates((board / "tls.crt.der").read_bytes())
    issuer.verify_directly_issued_by(site.authority.certificate)
    assert leaf.subject.rfc4514_string() == f"CN={found.meter}"
    # What its gateway gave since stays.
    site.admit(found.meter, board)
    given = (board / "tls.crt.der").read_bytes()
    assert main(["provision", *words]) == 0
    assert (board / "tls.crt.der").read_bytes() == given


def test_a_board_is_given_its_loads(site_json: Path, tmp_path: Path) -> None:
    loads = ("--load", "1:bench-load:unit=9,rest_w=3000,max_w=5000", "--hold-s", "90")
    more = ("--device", "2:sdm120:2", "--load", "2:relay-2kw:relay=0,rest_w=0")
    relay = tmp_path / "relay"
    relay.write_text("1")
    options = ("--profile", "sdm120", *loads, *more, "--relay", str(relay))
    assert provision(tmp_path / "board", site_json, *options) == 0
    config = json.loads((tmp_path / "board" / "config.json").read_bytes())
    assert config["loads"] == [
        {"d": 1, "load": "bench-load", "unit": 9, "rest_w": 3_000, "max_w": 5_000},
        {"d": 2, "load": "relay-2kw", "relay": 0, "rest_w": 0},
    ]
    assert (config["hold_s"], config["board"]["relays"]) == (90, [str(relay)])
    copied = {path.name for path in (tmp_path / "board" / "loads").iterdir()}
    assert copied == {"bench-load.json", "relay-2kw.json"}


@pytest.mark.parametrize(
    "text",
    ["", "1:x", "x:x:unit=1", "1:x:unit", "1:x:unit=a", "1:x:unit=1,unit=2", "1:x:baud=5", "1:x:"],
)
def test_a_load_that_makes_no_sense_is_a_wrong_argument(text: str) -> None:
    with pytest.raises(ValueError, match="expected D:TYPE:key=number"):
        LoadChoice.parse(text)


@pytest.mark.parametrize("text", ["sdm120:1", "x:sdm120:1", "1:sdm120:x", "1:sdm120:1:kwh", ""])
def test_a_device_that_makes_no_sense_is_a_wrong_argument(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no quantity"):
        DeviceChoice.parse(text)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("format", 2, "format is '2', expected 1"),
        ("site", "No", "site is 'No', expected a-z"),
        ("ledger_id", "00", "ledger_id is '00', expected 32 hex digits"),
        ("ledger_id", None, "no ledger_id; expected what `wattle-gateway init` wrote"),
        ("gateways", [], "gateways is '[]', expected a list of 1 to 32"),
        ("gateways", [7], "no gateways.0.port"),
        ("port", 0, "gateways.0.port is '0', expected 1 to 65535"),
        ("host", None, "no gateways.0.host"),
        ("link_key", "04" + "00" * 64, "an uncompressed point of P-256"),
        ("authority_der_base64", "AAAA", "expected a certificate"),
        ("authority_der_base64", "!", "expected a certificate"),
        ("authority_der_base64", 7, "expected a certificate"),
    ],
)
def test_a_damaged_site_file_is_named_with_its_key(
    site_json: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: object,
    complaint: str,
) -> None:
    content = json.loads(site_json.read_bytes())
    place = content if key in content else content["gateways"][0]
    place[key] = value
    if value is None:
        del place[key]
    site_json.write_text(json.dumps(content))
    assert provision(tmp_path / "board", site_json) == 1
    said = capsys.readouterr().err
    assert str(site_json) in said
    assert complaint in said
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize("text", ["", "{", "[" * 50_000, "7", " " * 200_001])
def test_a_site_file_that_is_none_is_refused(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    site_json.write_text(text)
    assert provision(tmp_path / "board", site_json) == 1
    assert str(site_json) in capsys.readouterr().err


def test_a_board_of_one_ledger_is_not_taken_to_another(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board"
    assert provision(board, site_json) == 0
    content = json.loads(site_json.read_bytes())
    content["ledger_id"] = "ff" * 16
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    assert provision(board, other) == 1
    assert "name a new folder" in capsys.readouterr().err
    options = ("--profile", "sdm120", "--site-file", str(other))
    assert provision(tmp_path / "new", site_json, *options) == 1
    assert "different ledgers" in capsys.readouterr().err


def test_damaged_keys_are_reported_and_left_alone(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board"
    assert provision(board, site_json) == 0
    path = board / "nvs" / "keys"
    record = path.read_bytes()
    damaged = record[:20] + bytes([record[20] ^ 1]) + record[21:]
    path.write_bytes(damaged)
    assert provision(board, site_json) == 1
    assert "nvs/keys is damaged" in capsys.readouterr().err
    assert path.read_bytes() == damaged


def test_an_interpreter_that_is_not_there_is_named(
    site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["provision", str(tmp_path / "board"), "--site-file", str(site_json)]
    arguments += ["--micropython", str(tmp_path / "none"), "--port", "x", "--profile", "sdm120"]
    assert main(arguments) == 1
    assert "is no program; name MicroPython with --micropython" in capsys.readouterr().err


def test_a_proof_that_was_touched_does_not_hold(site_json: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    assert provision(board, site_json) == 0
    path = board / proof.PROOF_FILE
    raw = path.read_bytes()
    for at in (20, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        with pytest.raises(BoardError, match="does not hold"):
            proof.verified(board, LEDGER_ID)
    path.write_bytes(raw)
    with pytest.raises(BoardError, match="does not hold"):
        proof.verified(board, bytes(16))


@pytest.fixture
def board(site_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "board"
    assert provision(folder, site_json) == 0
    capsys.readouterr()
    return folder


def test_the_boards_own_certificate_is_installed(
    site: MeterSite, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = proof.verified(board, LEDGER_ID)
    issued = site.authority.issue_client(crypto.load_public(found.tls_public), found.meter)
    for content in (authority.pem(issued), authority.der(issued)):
        source = site.folder / "meter.crt"
        source.write_bytes(content)
        assert main(["certificate", str(board), str(source)]) == 0
        assert capsys.readouterr().out == f"{found.meter}\n"
        assert (board / "tls.crt.der").read_bytes() == authority.der(issued)


def test_any_other_certificate_is_refused(
    site: MeterSite, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = proof.verified(board, LEDGER_ID)
    own = crypto.load_public(found.tls_public)
    foreign = authority.SiteAuthority.create(keys.new_p256(), "substation-7")
    wrong = {
        "not for this board's TLS key": site.authority.issue_client(
            keys.new_p256().public_key(), found.meter
        ),
        "names another meter": site.authority.issue_client(own, "0011223344556677"),
        "not issued by a site authority": foreign.issue_client(own, found.meter),
    }
    source = site.folder / "meter.crt"
    for complaint, issued in wrong.items():
        source.write_bytes(authority.pem(issued))
        assert main(["certificate", str(board), str(source)]) == 1
        assert complaint in capsys.readouterr().err
    source.write_bytes(b"-----BEGIN nothing")
    assert main(["certificate", str(board), str(source)]) == 1
    assert "not a certificate" in capsys.readouterr().err
    shutil.rmtree(board)
    assert main(["certificate", str(board), str(source)]) == 1
    assert "config.json: cannot be read" in capsys.readouterr().err
    assert not (board / "tls.crt.der").exists()
