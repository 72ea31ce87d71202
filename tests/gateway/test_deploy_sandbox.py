"""What image and unit promise, without an engine: another user, read-only root, 256 MB, no rights;
and the wheel with nothing but what it asks for."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from wattle_testkit import launched_gateway
from wattle_testkit.alliance import reading
from wattle_testkit.launched_gateway import CONTAINER_UID, MEMORY_BYTES, LaunchedGateway
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def first_commit(gateway: LaunchedGateway) -> None:
    """A meter is enrolled, and its sample becomes final."""
    board = gateway.board("first")
    gateway.enrol(board)
    with PaperMeter(board, gateway) as meter:
        meter.send(board.sample(1, [reading(1_700_000_000_000, ei=1, p=2)]))
        meter.await_final(1)
    assert gateway.status()["commit"] >= 1


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder to which another user finds the way: pytest's are of root alone."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_gateway_works_under_the_limits_of_the_container(data: Path) -> None:
    why = launched_gateway.why_no_sandbox()
    if why:
        pytest.skip(why)
    group = launched_gateway.memory_group(f"wattle-test-{os.getpid()}")
    words = launched_gateway.sandbox_words(data, group)
    gateway = LaunchedGateway(data / "gateway", [*words, _command()], CLEAN)
    for path in (data, *data.rglob("*")):
        os.chown(path, CONTAINER_UID, CONTAINER_UID)
    try:
        gateway.start()
        status = Path(f"/proc/{gateway.pid}/status").read_text()
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert facts["Uid"].split() == [str(CONTAINER_UID)] * 4
        assert facts["NoNewPrivs"] == "1"
        assert {int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
        mounts = Path(f"/proc/{gateway.pid}/mounts").read_text().splitlines()
        root = [line.split()[3].split(",") for line in mounts if line.split()[1] == "/"]
        assert "ro" in root[-1]
        first_commit(gateway)
        if group is not None:
            used = int((group / "memory.max_usage_in_bytes").read_text())
            assert 0 < used <= MEMORY_BYTES
            assert "oom_kill 0" in (group / "memory.oom_control").read_text()
        assert gateway.stop() == 0
    finally:
        gateway.kill()
        if group is not None:
            members = group / "cgroup.procs"
            until(lambda: not members.read_text(), 15, "workers and broker are gone")
            group.rmdir()


def _command() -> str:
    return str(Path(sys.executable).parent / "wattle-gateway")


def test_the_wheel_needs_nothing_but_what_it_asks_for(tmp_path: Path) -> None:
    """In the place of an index: the packages of the container's lock, and the built wheel."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in _locked():
        _link(name, site)
    [entry] = site.glob("wattle_grid-*.dist-info/entry_points.txt")
    assert "wattle-gateway = wattle_gateway.cli:main" in entry.read_text()
    program = [sys.executable, "-S", "-m", "wattle_gateway"]
    environment = {**CLEAN, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    where = [sys.executable, "-S", "-c", "import wattle_gateway; print(wattle_gateway.__path__)"]
    shown = subprocess.run(where, env=environment, capture_output=True, text=True, check=True)
    assert str(site) in shown.stdout
    gateway = LaunchedGateway(tmp_path / "gateway", program, environment)
    try:
        gateway.start()
        first_commit(gateway)
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    deploy = site / next(site.glob("*.data")).name / "data/share/wattle"
    for path in ("install", "systemd/wattle-gateway@.service", "container/Containerfile"):
        assert (deploy / path).read_bytes() == (ROOT / "gateway/deploy" / path).read_bytes()


def _locked() -> list[str]:
    lines = (ROOT / "gateway/deploy/requirements.lock").read_text().splitlines()
    return [line.partition("==")[0] for line in lines if line[:1].isalpha()]


def _link(name: str, site: Path) -> None:
    """The files of an installed distribution, as they would be in an environment of its own."""
    found = metadata.distribution(name)
    here = Path(str(found.locate_file("")))
    for top in {Path(str(file)).parts[0] for file in found.files or ()} - {".."}:
        target = site / top
        if not target.exists():
            source = here / top
            target.symlink_to(source, target_is_directory=source.is_dir())


def test_a_tool_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "setpriv" else "/bin/true")
    assert launched_gateway.why_no_sandbox() == "setpriv not installed"
