"""A storage key that a TPM gives out: swtpm and Debian's tpm2-tools, by the commands of
STORAGE.md."""

import re
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.waiting import until

STORAGE = Path(__file__).resolve().parents[2] / "gateway" / "STORAGE.md"
TOOLS = ("swtpm", "tpm2_createprimary", "tpm2_unseal", "tpm2_pcrextend")
DEADLINE_S = 20.0
WRONG_KEY = 19

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason="no swtpm or tpm2-tools here"
)


@pytest.fixture
def tpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TPM 2.0 of its own, which tpm2-tools find by the environment; gives a scratch folder."""
    folder = tmp_path / "tpm"
    folder.mkdir()
    # tpm2-tools take the control channel to be at the port above.
    port = next(port for port in iter(free_port, 0) if _is_free(port + 1))
    address = f"type=tcp,bindaddr=127.0.0.1,port={port}"
    process = subprocess.Popen(
        [
            *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server", address),
            *("--ctrl", f"type=tcp,bindaddr=127.0.0.1,port={port + 1}"),
            *("--flags", "not-need-init,startup-clear"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    monkeypatch.setenv("TPM2TOOLS_TCTI", f"swtpm:host=127.0.0.1,port={port}")
    monkeypatch.chdir(folder)
    try:
        until(_answers, DEADLINE_S, "the TPM answers")
        yield folder
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _answers() -> bool:
    words = ["tpm2_getrandom", "--hex", "4"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def documented() -> list[str]:
    """The lines of STORAGE.md that seal a key into a TPM."""
    blocks = re.findall(r"```\n(.*?)```", STORAGE.read_text(), re.DOTALL)
    [block] = [one for one in blocks if "tpm2_createprimary" in one]
    return [line.partition("  #")[0] for line in block.splitlines()]


def seal(folder: Path, key: Path) -> str:
    """Do what is documented; gives `[storage] key`."""
    *lines, init = documented()
    for line in lines:
        words = shlex.split(line.replace("KEY", str(key)))
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
    words = shlex.split(init)
    return words[words.index("--storage-key") + 1]


def test_a_key_in_a_tpm_opens_the_folder_until_the_boot_is_another(
    tpm: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_bytes(secrets.token_bytes(32))
    source = seal(tpm, key)
    key.unlink()
    gateway = GatewayProcess(tmp_path / "gateway", "--storage-key", source)
    gateway.start()
    try:
        assert command("status", gateway.folder).returncode == 0
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    assert command("keys", "show", gateway.folder).returncode == 0
    # Something else was booted: PCR 7 is another, and the TPM keeps the key to itself.
    extend = ["tpm2_pcrextend", f"7:sha256={secrets.token_hex(32)}"]
    subprocess.run(extend, check=True, capture_output=True)
    done = subprocess.run(
        ["tpm2_unseal", "-c", "0x81010001", "-p", "pcr:sha256:7"], capture_output=True, check=False
    )
    assert done.returncode != 0
    refused = GatewayProcess(gateway.folder, port=gateway.port)
    refused.begin()
    until(lambda: refused.has_ended, DEADLINE_S, "it ends")
    assert "storage key command:tpm2_unseal" in refused.log.read_text()
    assert refused._process is not None
    assert refused._process.returncode == WRONG_KEY
