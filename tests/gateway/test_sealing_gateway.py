"""A gateway whose folder is sealed: what a thief of the disk finds, and that it works all the
same."""

import csv
import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.home.identity import load_identity
from wattle_gateway.pki import keys
from wattle_gateway.sealing import keyring as keyring_file
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import storage_key
from wattle_testkit import sealed_folder
from wattle_testkit.alliance import Board
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

SAMPLES = 12
REFUSED = b"no sample at all, but something that a thief would like to read"
DEADLINE_S = 20.0


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A storage key."""
    path = tmp_path / "storage.key"
    assert command("keys", "make", path).returncode == 0
    return path


@pytest.fixture
def gateway(tmp_path: Path, key: Path) -> Iterator[GatewayProcess]:
    """A sealed gateway, which was not started yet."""
    made = GatewayProcess(tmp_path / "gw", "--storage-key", f"file:{key}")
    yield made
    if made.is_started:
        made.kill()


def measured(gateway: GatewayProcess, first: int = 1, name: str = "sealed") -> Board:
    """A meter has sent samples from `first` on, and something else; all of it is kept."""
    board = gateway.board(name)
    if first == 1:
        gateway.enrol(board)
    with PaperMeter(board, gateway) as meter:
        meter.send(*(board.sample(seq) for seq in range(first, first + SAMPLES)))
        meter.await_final(first + SAMPLES - 1)
        meter.publish(meter.topic("sample"), REFUSED)
        until(
            lambda: command("quarantine", gateway.folder, "--format", "json").stdout.count(
                REFUSED.hex()
            ),
            DEADLINE_S,
            "the refused message is kept",
        )
    return board


def payloads(board: Board) -> list[bytes]:
    """What a thief would look for in bytes."""
    name = f"urn:dev:mac:{board.eui64.hex()}".encode()
    return [REFUSED, name, *(board.sample(seq).raw for seq in (1, 2, SAMPLES))]


def key_bytes(gateway: GatewayProcess, key: Path) -> list[bytes]:
    """Every secret key of the gateway, as bytes."""
    identity = load_identity(gateway.home)
    ring = rings.beside(gateway.home.config)
    assert ring is not None
    storage = storage_key.read(f"file:{key}", gateway.folder)
    root = keyring_file.open_root(ring.keyring, storage, "")
    pairs = (identity.block_key, identity.link_key)
    return [
        storage.secret,
        root.key,
        ring.files_password,
        *keyring_file.data_keys(ring.keyring, root).values(),
        *(pair.private_numbers().private_value.to_bytes(32, "big") for pair in pairs),
        identity.checkpoint_key.private_bytes_raw(),
    ]


def seqs(gateway: GatewayProcess) -> list[int]:
    printed = command("samples", gateway.folder, "--format", "csv")
    assert printed.returncode == 0, printed.stderr
    rows = csv.DictReader(io.StringIO(printed.stdout))
    return sorted({int(row["seq"]) for row in rows})


def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process that has opened nothing yet."""
    monkeypatch.setattr(rings, "_opened", {})


def processes_of(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += processes_of(int(child))
    return found


def test_a_copied_disk_gives_nothing_without_the_key(
    gateway: GatewayProcess, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.start()
    board = measured(gateway)
    secret = [*payloads(board), *key_bytes(gateway, key)]
    assert sealed_folder.holding(gateway.folder, *secret) == []
    check_processes(gateway, secret)
    back_up_and_restore(gateway, key, tmp_path, secret)
    # The meter's id is public where certificates are issued, and nowhere else.
    places = {place.partition(":")[0] for place in sealed_folder.holding(gateway.folder, board.kid)}
    assert places <= {f"{board.kid.hex()}.pem"}
    gateway.kill()
    copy = tmp_path / "copy"
    shutil.copytree(gateway.folder, copy, ignore=shutil.ignore_patterns("admin.sock"))
    assert sealed_folder.holding(copy, *secret) == []
    assert seqs(gateway) == list(range(1, SAMPLES + 1))
    key.rename(tmp_path / "elsewhere")
    forgotten(monkeypatch)
    for words in (("status", copy), ("samples", copy), ("meters", "list", copy)):
        done = command(*words)
        assert done.returncode == 19, words
        assert "storage.key cannot be read" in done.stderr
        assert done.stdout == ""
    assert "storage.key cannot be read" in command("audit", copy).stderr


def check_processes(gateway: GatewayProcess, secret: list[bytes]) -> None:
    """Nothing of it in arguments, environment or log, and no core dump."""
    forms = [form for one in secret for form in (one, one.hex().encode())]
    pids = processes_of(gateway.pid)
    assert len(pids) > 2  # the broker and the workers, too
    for pid in pids:
        for name in ("cmdline", "environ"):
            content = Path(f"/proc/{pid}/{name}").read_bytes()
            assert not [form for form in forms if form in content], (pid, name)
    limits = Path(f"/proc/{gateway.pid}/limits").read_text()
    assert "Max core file size        0                    0 " in limits
    log = gateway.log.read_bytes()
    assert b"running" in log
    assert not [form for form in forms if form in log]


def back_up_and_restore(
    gateway: GatewayProcess, key: Path, folder: Path, secret: list[bytes]
) -> None:
    """A backup is sealed, too, and restored with the same key."""
    file = folder / "backup.tar"
    done = command("backup", gateway.folder, "--output", file)
    assert done.returncode == 0, done.stderr
    assert f"keep it: file:{key}" in done.stdout
    with tarfile.open(file) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    assert sealed_folder.holding(folder / "unpacked", *secret) == []
    restored = folder / "restored"
    done = command("restore", file, restored, "--alone")
    assert done.returncode == 0, done.stderr
    done = command("keys", "show", restored)
    assert "rows under data key 1 and later are being resealed" in done.stdout
    assert command("audit", restored).returncode == 0


def test_a_plain_folder_is_sealed_later_and_nothing_is_left_of_it(
    tmp_path: Path, key: Path
) -> None:
    gateway = GatewayProcess(tmp_path / "gw")
    gateway.start()
    board = measured(gateway)
    gateway.kill()
    assert sealed_folder.holding(gateway.folder, *payloads(board)) != []
    before = command("audit", gateway.folder).stdout.splitlines()[2:5]
    done = command("keys", "seal", gateway.folder, "--storage-key", f"file:{key}")
    assert done.returncode == 0, done.stderr
    secret = [*payloads(board), *key_bytes(gateway, key)]
    assert sealed_folder.holding(gateway.folder, *secret) == []
    assert command("audit", gateway.folder).stdout.splitlines()[2:5] == before
    names = sorted(path.name for path in gateway.folder.iterdir())
    assert not [name for name in names if name.endswith((".plain", ".sealing"))], names
    again = command("keys", "seal", gateway.folder, "--storage-key", f"file:{key}")
    assert again.returncode == 0, again.stderr
    gateway.start()
    measured(gateway, SAMPLES + 1)
    gateway.kill()
    assert seqs(gateway) == list(range(1, 2 * SAMPLES + 1))
    assert command("audit", gateway.folder).returncode == 0
    assert '"plain_keys": []' in command("keys", "show", gateway.folder, "--format", "json").stdout


def test_a_data_key_is_rotated_under_load_and_survives_kill_9(
    gateway: GatewayProcess, key: Path
) -> None:
    gateway.start()
    measured(gateway)
    done = command("keys", "rotate", gateway.folder)
    assert done.returncode == 0, done.stderr
    assert "data key 2 seals from now on" in done.stdout
    gateway.kill()
    gateway.start()
    measured(gateway, SAMPLES + 1)
    until(
        lambda: [one.number for one in _ring(gateway).keyring.keys] == [2],
        DEADLINE_S,
        "the older keys are gone",
    )
    gateway.stop()
    assert seqs(gateway) == list(range(1, 2 * SAMPLES + 1))
    assert command("audit", gateway.folder).returncode == 0
    assert "data key 3 seals, and all rows are resealed; 1 older keys are removed" in (
        command("keys", "rotate", gateway.folder).stdout
    )
    assert command("audit", gateway.folder).returncode == 0


def _ring(gateway: GatewayProcess) -> rings.Ring:
    found = rings.beside(gateway.home.config)
    assert found is not None
    return found


def test_another_storage_key_takes_the_place_of_the_first(
    gateway: GatewayProcess, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tmp_path / "words"
    words.write_text("correct horse battery staple\n")
    words.chmod(0o600)
    monkeypatch.setenv("WORDS_FILE", str(words))
    source = "passphrase:env-file:WORDS_FILE"
    done = command("keys", "rewrap", gateway.folder, "--storage-key", source)
    assert done.returncode == 0, done.stderr
    assert f'key = "{source}"' in gateway.home.config.read_text()
    key.unlink()
    forgotten(monkeypatch)
    assert command("audit", gateway.folder).returncode == 0
    # A configuration that nobody can edit: nothing has changed.
    before = gateway.home.config.read_bytes()
    gateway.home.config.write_bytes(before.replace(b"[storage]", b"[ storage ]"))
    done = command("keys", "rewrap", gateway.folder, "--storage-key", f"file:{words}.key")
    assert done.returncode == 19, done.stderr
    assert command("keys", "make", f"{words}.key").returncode == 0
    done = command("keys", "rewrap", gateway.folder, "--storage-key", f"file:{words}.key")
    assert done.returncode == 3, done.stderr
    assert len(_ring(gateway).keyring.slots) == 1
    gateway.home.config.write_bytes(before)
    words.write_text("correct horse battery stable\n")
    forgotten(monkeypatch)
    done = command("status", gateway.folder)
    assert done.returncode == 19
    assert "does not open" in done.stderr
    assert "stable" not in done.stderr


def test_private_keys_are_of_no_use_without_the_keyring(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(gateway.home.keys.iterdir())
    assert len(files) == 7
    assert all(b"ENCRYPTED PRIVATE KEY" in path.read_bytes() for path in files)
    assert keys.load_p256(gateway.home.key("block")).curve.name == "secp256r1"
    (gateway.folder / rings.NAME).rename(tmp_path / "gone")
    forgotten(monkeypatch)
    done = command("doctor", gateway.folder)
    assert "keyring.json" in done.stdout


def test_the_doctor_says_how_the_folder_is_sealed(
    gateway: GatewayProcess, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = command("doctor", gateway.folder).stdout
    assert "sealed; data key 1 has 0 % of its seals" in said
    text = gateway.home.config.read_text()
    assert command("keys", "make", tmp_path / "other").returncode == 0
    done = command("keys", "seal", gateway.folder, "--storage-key", f"file:{tmp_path / 'other'}")
    assert done.returncode == 19, done.stdout
    assert gateway.home.config.read_text() == text
    plain = keys.load_plain_pem(gateway.home.key("link"))
    sealed = gateway.home.key("link").read_bytes()
    gateway.home.key("link").write_bytes(plain)
    assert "sealed, but link.pem are not encrypted" in command("doctor", gateway.folder).stdout
    gateway.home.key("link").write_bytes(sealed)
    key.rename(tmp_path / "elsewhere")
    forgotten(monkeypatch)
    done = command("doctor", gateway.folder)
    assert done.returncode == 16
    assert "make the storage key readable here" in done.stdout
