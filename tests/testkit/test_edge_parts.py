"""The parts of `make edge`: who limits, who looks, and who finds what is missing."""

import ast
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway import config
from wattle_gateway.ledger import signed_sample
from wattle_gateway.ledger.epoch import first_epoch
from wattle_testkit import stored_home
from wattle_testkit.alliance import GRID, enrol_entry, genesis_of, sample_entry
from wattle_testkit.commit_chain import CommitChain
from wattle_testkit.edge import groups, ledgers, meters, usage, virtual_time
from wattle_testkit.edge.groups import Group
from wattle_testkit.edge.meters import EdgeMeter
from wattle_testkit.edge.sender import Sender
from wattle_testkit.edge.shares import Share
from wattle_testkit.edge.small_alliance import SmallAlliance
from wattle_testkit.edge.usage import Usage
from wattle_testkit.gateway_process import GatewayProcess, environment

SAMPLES = 5
MIB = 1 << 20


def test_a_share_binds_core_and_memory() -> None:
    core = min(os.sched_getaffinity(0))
    share = Share(core, 200 * MIB, None)
    shown = "import os, resource; print(os.sched_getaffinity(0), resource.getrlimit(2))"
    words = (*share.words, "--module", "timeit", "-n", "1", "-r", "1", shown)
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    cores, limits = done.stdout.splitlines()[0].split("} ")
    assert ast.literal_eval(f"{cores}}}") == {core}
    assert ast.literal_eval(limits) == (200 * MIB, 200 * MIB)


def test_time_may_begin_days_ahead(tmp_path: Path) -> None:
    assert virtual_time.begin(1).words(tmp_path) == ()
    clock = virtual_time.begin(1, 86_400_000)
    _, path = clock.words(tmp_path)
    told = json.loads(Path(path).read_text())
    assert told["base_ms"] - told["anchor_ms"] == 86_400_000
    assert clock.now_ms() >= told["base_ms"]
    assert clock.wait_s(told["base_ms"]) == 0


def test_a_small_alliance_may_be_sealed_and_archive(tmp_path: Path) -> None:
    made = SmallAlliance(tmp_path, [Share(0, MIB, None)], sealed=True, archives=True)
    (gateway,) = made.gateways
    loaded = config.load(gateway.home.config)
    assert loaded.archive.target == str(made.archive_of(gateway))
    assert (loaded.archive.retention_days, loaded.storage.key) == (
        1,
        f"file:{tmp_path}/storage.key",
    )
    assert (gateway.folder / "keyring.json").exists()


def test_a_group_says_whom_the_kernel_killed(tmp_path: Path) -> None:
    (tmp_path / "memory.peak").write_text(f"{250 * MIB}\n")
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 9\nnr_periods 7\nnr_throttled 3\n")
    share = Share(0, 256 * MIB, Group(2, tmp_path, tmp_path))
    said = (
        "the group's peak 250 MiB with pages of files, 1 killed for want of memory, throttled in 3"
    )
    assert share.kernel_says() == f"{said} periods of 0.1 s"
    assert share.words[-2:] == ("--cgroup", str(tmp_path))
    assert (Share(0, MIB, None).kernel_says(), Share(0, MIB, None).kills()) == ("", 0)


def test_groups_of_version_2_where_both_controllers_are_there(tmp_path: Path) -> None:
    control = tmp_path / "cgroup.subtree_control"
    control.write_text("cpu memory pids\n")
    group = groups.make(64 * MIB, tmp_path)
    assert group is not None
    assert group.folders == (group.memory,)
    assert (group.memory / "memory.max").read_text() == str(64 * MIB)
    assert (group.memory / "cpu.max").read_text() == "100000 100000"
    control.write_text("hugetlb\n")
    assert groups.make(64 * MIB, tmp_path) is None


def test_groups_of_version_1_where_there_are_no_others(tmp_path: Path) -> None:
    for controller in ("memory", "cpu"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "tasks").touch()
    group = groups.make(64 * MIB, tmp_path)
    assert group is not None
    assert [folder.parent.name for folder in group.folders] == ["memory", "cpu"]
    assert (group.memory / "memory.limit_in_bytes").read_text() == str(64 * MIB)
    assert (group.cpu / "cpu.cfs_quota_us").read_text() == "100000"
    (group.memory / "memory.oom_control").write_text("oom_kill_disable 0\noom_kill 2\n")
    assert group.kills == 2


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process with 40 MiB of its own and a child with 30 MiB, which waits for a line."""
    child = "x = bytearray(b'1') * (30 << 20); print(); input()"
    text = (
        "import subprocess, sys; x = bytearray(b'1') * (40 << 20);"
        f" c = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=0, stdout=1); c.wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()  # the child has what it wanted
    yield process
    process.communicate(b"\n", timeout=60)


def test_a_tree_is_added_up(parent: subprocess.Popen[bytes]) -> None:
    seen = Usage()
    seen.look(parent.pid)
    assert len(seen.processes) == 2
    assert 70 * MIB < seen.peak_bytes < 120 * MIB
    # Files are counted once for the tree, and for each process in VmHWM.
    assert seen.peak_bytes < seen.resident_peaks_bytes
    assert usage.proportional_bytes(parent.pid) > 70 * MIB


def test_what_was_acknowledged_and_is_not_there_is_found(tmp_path: Path) -> None:
    first = genesis_of(GRID)
    chain = CommitChain(first_epoch(first), GRID)
    (meter,) = meters.signed_ahead(chain.epoch, 1, 1, 1_700_000_000_000, SAMPLES)
    chain.commit(enrol_entry(meter.board))
    for raw in meter.samples[:3]:
        chain.commit(sample_entry(signed_sample.parse(raw, chain.epoch.ledger_id)))
    gateway = GatewayProcess(stored_home.write(tmp_path / "gateway", first, chain), port=1)
    sender = Sender(meter, 1, ssl.create_default_context(), bytes(32))
    sender.durable, sender.final = 5, 3
    assert ledgers.missing(gateway, [sender]) == []
    assert ledgers.missing(gateway, [sender], final=False) == [
        f"{meter.meter} 4",
        f"{meter.meter} 5",
    ]
    other = EdgeMeter(meter.board, 0, meter.times_ms, meter.samples[::-1])
    changed = Sender(other, 1, ssl.create_default_context(), bytes(32))
    changed.final = 1
    assert ledgers.missing(gateway, [changed]) == [f"{meter.meter} 1"]


def test_meters_sign_a_chain_on_their_own_times() -> None:
    epoch = first_epoch(genesis_of(GRID))
    made = meters.signed_ahead(epoch, 4, 2, 1_700_000_000_000, SAMPLES)
    assert [meter.gateway for meter in made] == [0, 1, 0, 1]
    assert [meter.times_ms[0] % meters.PERIOD_MS for meter in made] == [0, 2_500, 5_000, 7_500]
    parsed = [signed_sample.parse(raw, epoch.ledger_id) for raw in made[1].samples]
    assert [one.sample.prev for one in parsed[1:]] == [one.digest for one in parsed[:-1]]


def test_a_disk_is_filled_to_the_last_byte(tmp_path: Path) -> None:
    """In a process of its own, which alone sees the disk."""
    text = (
        "import sys, shutil; from pathlib import Path; from wattle_testkit.edge import small_disk\n"
        "try: small_disk.enter_namespace()\n"
        "except OSError: sys.exit(3)\n"
        f"folder = Path({str(tmp_path)!r}); (folder / 'kept').write_text('kept')\n"
        "with small_disk.under(folder, 1 << 20):\n"
        "    assert (folder / 'kept').read_text() == 'kept'\n"
        "    assert small_disk.fill(folder / 'filler') > 900_000\n"
        "    assert shutil.disk_usage(folder).free == 0\n"
        "assert not (folder / 'filler').exists()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 3:
        pytest.skip("this host lets nobody mount")
    assert done.returncode == 0, done.stderr
