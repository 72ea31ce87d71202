"""A flashed ESP32 becomes a meter, through the real mpremote: whole or not at all."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.serial_boards import (
    files,
    flash_content,
    flashed_content,
    found,
    mac,
    put,
    small_application,
)
from wattle_testkit.technician import PASSWORD, SITE, WIFI, Technician
from wattle_tools import proof
from wattle_tools.boards.repl import Repl
from wattle_tools.cli import main

IMAGE = interpreter_image()
METER = ("--profile", "sdm630", "--unit", "3")


@pytest.fixture
def port(bench: BoardBench, installed: bytes) -> str:
    """The line of board 1, which is flashed."""
    return bench.add(mac(1), installed)


def provision(port: str, folder: Path, *options: str) -> int:
    return main(["provision", "--port", port, "--output", str(folder), *WIFI, *options])


def content(port: str, path: str) -> bytes:
    with Repl(port) as repl:
        data = repl.value(f"print(open({path!r}, 'rb').read())")
        repl.restart()
    assert isinstance(data, bytes)
    return data


def private_keys(bench: BoardBench) -> list[bytes]:
    """The three of board 1, as its NVS in flash has them."""
    nvs = bench.flash(mac(1)).partition("nvs")
    assert nvs is not None
    rows = bench.flash(mac(1)).read(nvs.offset, nvs.size).split(b"\xff")[0].split(b"\n")
    [record] = [row.partition(b"=")[2] for row in rows if row.startswith(b"wattle.keys=")]
    body = bytes.fromhex(record.decode())[2:-8]  # mark and version in front, check sum behind
    assert len(body) == 96
    return [body[at : at + 32] for at in (0, 32, 64)]


def public_of(private: bytes) -> bytes:
    key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_a_board_becomes_a_meter(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    ada.take_authority()
    options = (*METER, "--ct", "200/5", "--reversed", "--rating", "138000", "--json")
    capsys.readouterr()
    assert provision(port, ada.folder, *options) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["result"], row["site"], row["protection"]) == ("done", SITE, "file")
    config = json.loads(content(port, "/config.json"))
    [device] = config["devices"]
    assert device == {"d": 1, "profile": "sdm630", "unit": 3, "ct": [200, 5], "orient": -1}
    assert config["board"]["wifi"] == {"ssid": "yard", "password": PASSWORD}
    there = files(port)
    assert {"/profiles/sdm630.json", "/boards/esp32-devkitc.json", "/authority0.der"} <= set(there)
    assert not [path for path in there if "commission" in path or path.endswith(".new")]
    # The proof that went into the file is of the very keys that the board keeps.
    file = json.loads((ada.folder / f"{row['meter']}.enrol.json").read_text())
    proved = proof.parse(bytes.fromhex(file["proof"]), ada.ledger_id, "the file")
    signing, _, tls = private_keys(bench)
    assert (proved.signing_public, proved.tls_public) == (public_of(signing), public_of(tls))
    assert file["points"] == [
        {"d": 1, "ct": [200, 5], "vt": [1, 1], "orient": -1, "rating_w": 138_000}
    ]
    board = found(port)
    assert board.contents is not None
    assert board.contents.record is not None
    assert (board.contents.record.meter, board.contents.record.site) == (row["meter"], SITE)
    assert main(["boards", "--port", port]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "key: file" in shown
    assert main(["label", "--port", port, "--output", str(ada.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["meters"] == [row["meter"]]
    assert (ada.folder / f"{row['meter']}.png").is_file()


def test_the_certificate_is_short_and_names_the_meter(
    bench: BoardBench, port: str, ada: Technician
) -> None:
    ada.take_authority()
    assert provision(port, ada.folder, *METER) == 0
    leaf, issuer = x509.load_pem_x509_certificates(content(port, "/tls.crt.der"))
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(ada.root.certificate)
    [meter] = [path.name[:16] for path in ada.folder.glob("*.enrol.json")]
    assert leaf.subject.rfc4514_string() == f"CN={meter}"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{meter}.{SITE}.wattle.internal"]
    assert leaf.not_valid_after_utc == issuer.not_valid_after_utc
    assert public_of(private_keys(bench)[2]) == leaf.public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )


def test_no_private_key_crosses_the_line(bench: BoardBench, port: str, ada: Technician) -> None:
    crossed = bench.listen(mac(1))
    assert provision(port, ada.folder, *METER) == 0
    for private in private_keys(bench):
        public = public_of(private)
        # The public keys cross it, in hex: what is looked for below would be found.
        assert public.hex().encode() in crossed
        for size in (32, 8):
            for at in range(0, 32, size):
                piece = private[at : at + size]
                forms = [piece, piece[::-1], piece.hex().encode(), piece.hex().upper().encode()]
                forms += [repr(piece)[2:-1].encode(), base64.b64encode(piece).rstrip(b"=")[:-1]]
                forms.append(str(int.from_bytes(piece, "big")).encode())
                assert not [form for form in forms if form in crossed]


def test_a_second_run_finds_everything_there(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    ada.take_authority()
    assert provision(port, ada.folder, *METER) == 0
    keys, certificate = private_keys(bench), content(port, "/tls.crt.der")
    capsys.readouterr()
    assert provision(port, ada.folder, *METER, "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["settings"] == "there already"
    # Another profile: new settings, the same meter with the same certificate.
    assert provision(port, ada.folder, "--profile", "sdm120") == 0
    assert json.loads(content(port, "/config.json"))["devices"][0]["profile"] == "sdm120"
    assert (private_keys(bench), content(port, "/tls.crt.der")) == (keys, certificate)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--profile", "sdm999"), "'sdm999' is not in profiles; take one of: em340"),
        (("--profile", "sdm630", "--board", "esp32-s3-devkitc-1"), "esp32s3"),
        (("--profile", "sdm630", "--board", "toaster"), "'toaster' is not in boards"),
        (("--profile", "sdm630", "--interval-ms", "100"), "the interval is 100 ms"),
        (("--profile", "sdm630", "--wifi", "x" * 33), "config.json: board.wifi.ssid"),
        (("--profile", "sdm630", "--ct", "2:200/5"), "ct of device 2, which is none"),
        (("--profile", "sdm120", "--load", "1:relay-2kw:relay=0,rest_w=0"), "relay"),
        (("--profile", "sdm630", "--site", "elsewhere"), f"not known; there are: {SITE}"),
        (("--profile", "sdm630", "--gateway", "elsewhere"), "grid (gateway.example)"),
        ((), "no metering device"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    shared_port: str,
    ada: Technician,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    expected: str,
) -> None:
    assert provision(shared_port, ada.folder, *options) == 7
    assert expected in capsys.readouterr().err
    assert "/config.json" not in files(shared_port)


@pytest.fixture(scope="module")
def shared_port(tmp_path_factory: pytest.TempPathFactory, installed: bytes) -> Iterator[str]:
    """A flashed board to which nothing happens."""
    with BoardBench(tmp_path_factory.mktemp("boards")) as bench:
        yield bench.add(mac(1), installed)


def test_a_dry_run_says_what_it_will_do_and_does_nothing(
    shared_port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(files(shared_port))
    assert provision(shared_port, ada.folder, *METER, "--dry-run", "--json") == 0
    out = capsys.readouterr().out
    row = json.loads(out[out.index("{") :])
    assert row["settings"] == "checked"
    assert "1 device(s) at 9600 Bd 8N1" in row["plan"]
    assert set(files(shared_port)) == before


def test_a_board_pulled_out_in_the_middle_is_half_done_and_then_done(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision(port, ada.folder, *METER) == 0
    old = content(port, "/config.json")
    # Keys are proved by then, and the new files are on their way.
    port = bench.plug_in(mac(1), Faults(unplug_on=b"/config.json.new"))
    changed = ("--profile", "sdm120")
    assert provision(port, ada.folder, *changed) == 4
    assert "run the command again" in capsys.readouterr().err
    port = bench.plug_in(mac(1), Faults())
    board = found(port)
    assert board.contents is not None
    assert board.contents.record is None
    assert content(port, "/config.json") == old
    assert main(["boards", "--port", port]) == 0
    assert "set-up half done" in " ".join(capsys.readouterr().out.split())
    assert provision(port, ada.folder, *changed) == 0
    assert json.loads(content(port, "/config.json"))["devices"][0]["profile"] == "sdm120"


def test_a_full_file_system_is_told_before_anything_is_changed(
    tmp_path: Path, bench: BoardBench, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    image = interpreter_image(files_bytes=0x20000)
    (tmp_path / "small").mkdir()
    port = bench.add(mac(1), flashed_content(tmp_path / "small", image, small_application()))
    put(port, "/curve.csv", bytes(60_000))
    before = set(files(port))
    assert provision(port, ada.folder, *METER) == 4
    assert "its file system is full" in capsys.readouterr().err
    assert set(files(port)) == before


def test_a_board_that_is_not_flashed_is_sent_back(
    bench: BoardBench, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    assert provision(port, ada.folder, *METER) == 4
    assert "wattle-tool flash --board 24:0a:c4:00:00:01" in capsys.readouterr().err
    assert provision(port, ada.folder, *METER, "--mac", mac(2).hex()) == 3


def test_a_meter_of_another_ledger_stays_one(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    put(port, "/config.json", b'{"ledger_id": "00"}')
    assert provision(port, ada.folder, *METER) == 4
    assert "it is a meter of ledger 00" in capsys.readouterr().err
    assert content(port, "/config.json") == b'{"ledger_id": "00"}'


def test_damaged_keys_are_not_replaced(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    with Repl(port) as repl:
        repl.run("import esp32\nn = esp32.NVS('wattle')\nn.set_blob('keys', b'\\x01\\x01short')")
        repl.run("n.commit()")
        repl.restart()
    assert provision(port, ada.folder, *METER) == 4
    assert "is damaged" in capsys.readouterr().err
    assert "/config.json" not in files(port)


def test_an_authority_that_has_ended_names_nobody(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    ada.take_authority(ago=timedelta(days=31))
    assert provision(port, ada.folder, *METER) == 8
    assert "have the gateway's operator make a new one" in capsys.readouterr().err
    assert "/config.json" not in files(port)


def test_the_password_is_in_nothing_that_leaves_the_board(
    bench: BoardBench, port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision(port, ada.folder, *METER) == 0
    assert main(["audit"]) == 0
    said = capsys.readouterr()
    texts = [said.out, said.err, (ada.home / "audit.log").read_text()]
    texts += [path.read_text() for path in ada.folder.glob("*.enrol.json")]
    texts.append(content(port, "/meter.json").decode())
    assert not [text for text in texts if PASSWORD in text]


def test_a_gateway_that_is_not_reached_leaves_a_board_that_is_done(
    port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    through = ("--enrol-through", "false", "--gateway-folder", "/gateway")
    assert provision(port, ada.folder, *METER, *through) == 9
    assert "/config.json" not in files(port)
    # With an authority nobody has to come back: the file is there for later.
    ada.take_authority()
    assert provision(port, ada.folder, *METER, *through) == 9
    assert "an enrolment file is good for later" in capsys.readouterr().err
    board = found(port)
    assert board.contents is not None
    assert board.contents.record is not None
    assert (ada.folder / f"{board.contents.record.meter}.enrol.json").is_file()
