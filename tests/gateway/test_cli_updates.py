"""update sign, update show, and what a gateway does not send: no process runs here."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from wattle_gateway.admin.meter_updates import read_bundle, signed_by_two
from wattle_gateway.errors import UsageError
from wattle_gateway.home.identity import load_genesis, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import command
from wattle_testkit.update_sender import signed
from wattle_wire import bundle, update

EXIT_USAGE = 2
ALLIANCE = (
    b'{"gateways": [{"host": "g", "port": 8883, "link_public": "04aa"}], "members": ["04bb"]}'
)
FILES = [(update.ALLIANCE, ALLIANCE)]


def founded(folder: Path, observers: int = 0) -> list[Path]:
    """Folders of gateways, never started: two members that vote, then observers."""
    made = AllianceProcesses(folder, voting=2, observers=observers)
    return [gateway.folder for gateway in made]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return founded(tmp_path_factory.mktemp("alliance"), observers=1)


@pytest.fixture(scope="module")
def epoch(folders: Sequence[Path]) -> Epoch:
    return first_epoch(load_genesis(GatewayHome(folders[0])))


@pytest.fixture
def file(epoch: Epoch, tmp_path: Path) -> Path:
    path = tmp_path / "new.bundle"
    path.write_bytes(bundle.make(epoch.ledger_id, 7, "new keys", "", FILES).encode())
    return path


def ok(*words: str | Path) -> str:
    done = command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def complaint(*words: str | Path) -> str:
    done = command(*words)
    assert done.returncode == EXIT_USAGE
    return done.stderr


def test_two_members_sign_and_see_what(folders: list[Path], epoch: Epoch, file: Path) -> None:
    said = ok("update", "sign", folders[0], file)
    assert "version 7 (new keys), for all boards" in said
    assert f"alliance.json {len(ALLIANCE)} bytes, SHA-256 " in said
    assert "gateway g:8883, link key 04aa" in said
    assert "member's key 04bb" in said
    assert "signed by gateway-1; 1 more member has to" in said
    # The same member once more is no second signature.
    assert "1 more member has to" in ok("update", "sign", folders[0], file)
    with pytest.raises(UsageError, match="signed by gateway-1; expected 2 members"):
        signed_by_two(epoch, bundle.decode(file.read_bytes()))
    assert "signed by gateway-2; it can be sent" in ok("update", "sign", folders[1], file)
    made = signed_by_two(epoch, bundle.decode(file.read_bytes()))
    assert update.open_pair(epoch.ledger_id, made.message())[0].version == 7
    said = ok("update", "show", folders[2], file)
    assert "signature by gateway-1: verifies" in said
    assert "signature by gateway-2: verifies" in said
    assert "2 signatures, 2 are needed" in said


def test_who_has_no_vote_does_not_sign(folders: list[Path], file: Path) -> None:
    before = file.read_bytes()
    assert "gateway-3 has no vote" in complaint("update", "sign", folders[2], file)
    assert file.read_bytes() == before


def test_another_ledger(folders: list[Path], epoch: Epoch, tmp_path: Path) -> None:
    path = tmp_path / "other.bundle"
    path.write_bytes(bundle.make(bytes(16), 7, "other", "", FILES).encode())
    said = complaint("update", "sign", folders[0], path)
    assert f"for ledger {bytes(16).hex()}, not {epoch.ledger_id.hex()}" in said
    assert f"for another ledger: {bytes(16).hex()}" in ok("update", "show", folders[0], path)
    with pytest.raises(UsageError, match="the bundle is for ledger 0000"):
        signed_by_two(epoch, bundle.decode(path.read_bytes()))


def test_an_altered_file(folders: list[Path], file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    said = complaint("update", "sign", folders[0], file)
    assert "not a sound bundle: alliance.json in the bundle is not the file that was signed" in said
    with pytest.raises(UsageError, match="somewhere: not a sound bundle"):
        read_bundle(b"", "somewhere")


def test_a_file_that_is_not_there(folders: list[Path], tmp_path: Path) -> None:
    assert "cannot be read" in complaint("update", "show", folders[0], tmp_path / "none")


def test_signatures_of_strangers_and_forged_ones(
    folders: list[Path], epoch: Epoch, tmp_path: Path
) -> None:
    own = load_identity(GatewayHome(folders[0])).block_key
    stranger = load_identity(GatewayHome(founded(tmp_path / "others")[0])).block_key
    made = signed(epoch.ledger_id, 7, "", FILES, [own, stranger])
    with pytest.raises(UsageError, match="is of no member that votes"):
        signed_by_two(epoch, made)
    path = tmp_path / "stranger.bundle"
    path.write_bytes(made.encode())
    assert ": of no member that votes" in ok("update", "show", folders[0], path)
    observer = load_identity(GatewayHome(folders[2])).block_key
    with pytest.raises(UsageError, match="is of no member that votes"):
        signed_by_two(epoch, signed(epoch.ledger_id, 7, "", FILES, [own, observer]))
    right = signed(epoch.ledger_id, 7, "", FILES, [own])
    data = bytearray(right.encode())
    at = data.index(right.signatures[0].signature)
    data[at + 5] ^= 1
    path.write_bytes(bytes(data))
    assert "signature by gateway-1: signature does not verify" in ok(
        "update", "show", folders[0], path
    )
    with pytest.raises(UsageError, match="the signature by gateway-1"):
        signed_by_two(epoch, bundle.decode(bytes(data)))


def test_no_gateway_runs(folders: list[Path], file: Path) -> None:
    done = command("meters", "update", folders[0], "0" * 16, file)
    assert done.returncode == 5
    assert "no gateway is running" in done.stderr
    assert "expected 16 hex digits" in complaint("meters", "update", folders[0], "x", file)
