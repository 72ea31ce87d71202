"""What a look at the machine finds: processes, control groups, pressure; in trees of made files."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from wattle_gateway.config import ResourcesConfig
from wattle_gateway.resources import cgroup
from wattle_gateway.resources.machine import Machine
from wattle_gateway.resources.usage import BUDGET, CGROUP, MACHINE, MIB, MILLION

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
NO_BUDGET = ResourcesConfig(0, 0, 0)


class MadeHost:
    """A tree of /proc and of control groups under a folder."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.groups = root / "groups"
        self.home = root / "home"
        self.home.mkdir()
        self.now_ms = 1_000_000
        self.write("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 409600 kB\n")
        self._root = root

    def write(self, path: str, text: str) -> None:
        file = self.home.parent / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def process(self, pid: int, *, mib: int, cpu_s: float, children: tuple[int, ...] = ()) -> None:
        ticks = int(cpu_s * TICKS)
        fields = ["S", *["0"] * 10, str(ticks // 4), str(ticks - ticks // 4), *["0"] * 20]
        self.write(f"proc/{pid}/stat", f"{pid} (a ) b) {' '.join(fields)}\n")
        self.write(f"proc/{pid}/statm", f"9999 {mib * MIB // PAGE} 1 1 0 1 0\n")
        self.write(f"proc/{pid}/task/{pid}/children", " ".join(map(str, children)))

    def group(self, name: str, files: Mapping[str, str]) -> None:
        for file, text in files.items():
            self.write(f"groups/{name}/{file}" if name else f"groups/{file}", text)

    def inside(self, name: str) -> None:
        self.write("proc/self/cgroup", f"4:memory:/else\n0::/{name}\n")
        self.write(
            "proc/self/mountinfo",
            f"30 24 0:26 / {self.groups} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
        )

    def machine(self, budget: ResourcesConfig = NO_BUDGET) -> Machine:
        return Machine(
            self.home, budget, proc=self.proc, pid=10, cores=2, now_ms=lambda: self.now_ms
        )


@pytest.fixture
def host(tmp_path: Path) -> MadeHost:
    made = MadeHost(tmp_path)
    made.process(10, mib=60, cpu_s=1, children=(11, 12))
    made.process(11, mib=30, cpu_s=2, children=(13,))
    made.process(12, mib=10, cpu_s=0)
    made.process(13, mib=5, cpu_s=0)
    made.process(99, mib=500, cpu_s=50)
    return made


def test_the_real_machine_has_figures(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5_000)
    found = Machine(tmp_path, NO_BUDGET).look()
    assert found.disk.used == 5_000
    assert found.disk.room == found.disk.free > 0
    assert 5 * MIB < found.memory.resident < found.memory.limit
    assert found.cpu is None


def test_all_processes_of_the_gateway_count_and_no_others(host: MadeHost) -> None:
    found = host.machine().look().memory
    assert found.resident == found.used == 105 * MIB
    assert (found.limit, found.source) == ((105 + 400) * MIB, MACHINE)
    assert found.stalled_ppm is None


def test_pages_that_several_hold_count_once(host: MadeHost) -> None:
    host.write("proc/11/smaps_rollup", "7f-8f ---p 0 0:0 0 [rollup]\nRss: 9999 kB\nPss: 2048 kB\n")
    assert host.machine().look().memory.resident == (105 - 30 + 2) * MIB


def test_cpu_is_a_mean_of_the_last_minute(host: MadeHost) -> None:
    machine = host.machine()
    assert machine.look().cpu is None
    host.now_ms += 30_000
    host.process(11, mib=30, cpu_s=17, children=(13,))
    found = machine.look().cpu
    assert found is not None
    assert (found.used_ppm, found.limit_ppm, found.source) == (500_000, 2 * MILLION, MACHINE)
    for _ in range(4):
        host.now_ms += 30_000
        found = machine.look().cpu
    assert found is not None
    assert found.used_ppm == 0


def test_a_process_that_ends_takes_nothing_back(host: MadeHost) -> None:
    machine = host.machine()
    machine.look()
    host.now_ms += 30_000
    host.process(10, mib=60, cpu_s=4, children=(12,))
    found = machine.look().cpu
    assert found is not None
    assert found.used_ppm == 100_000


def test_budgets_bound_what_the_machine_has(host: MadeHost) -> None:
    machine = host.machine(ResourcesConfig(disk_mib=1, memory_mib=150, cpu_percent=50))
    machine.look()
    host.now_ms += 30_000
    found = machine.look()
    assert found.disk.room == MIB
    assert (found.memory.limit, found.memory.source) == (150 * MIB, BUDGET)
    assert found.cpu is not None
    assert (found.cpu.limit_ppm, found.cpu.source) == (500_000, BUDGET)


def test_a_budget_beyond_what_is_there_gives_no_more(host: MadeHost) -> None:
    found = host.machine(ResourcesConfig(0, 100_000, 100_000)).look()
    assert found.memory.source == MACHINE


def test_a_sandbox_that_hides_the_machine_is_no_shortage(host: MadeHost) -> None:
    (host.proc / "meminfo").unlink()
    found = host.machine().look().memory
    assert found.limit > os.sysconf("SC_PHYS_PAGES") * PAGE


def test_the_control_group_s_limits_count(host: MadeHost) -> None:
    host.inside("wattle.slice/gateway")
    host.group("", {"memory.stat": ""})
    host.group("wattle.slice", {"memory.max": "max", "memory.current": str(900 * MIB)})
    host.group("wattle.slice", {"cpu.max": "max 100000"})
    host.group(
        "wattle.slice/gateway",
        {
            "memory.max": str(256 * MIB),
            "memory.current": str(200 * MIB),
            "memory.stat": f"anon 5\ninactive_file {20 * MIB}\nactive_file {15 * MIB}\n"
            f"slab_reclaimable {5 * MIB}\nslab 9\n",
            "memory.pressure": "some avg10=9 avg60=9.00 avg300=9 total=9\n"
            "full avg10=0.00 avg60=12.34 avg300=0.00 total=9\n",
            "cpu.max": "75000 100000",
            "cpu.pressure": "some avg10=1.00 avg60=1.50 avg300=0.00 total=9\n",
        },
    )
    machine = host.machine()
    found = machine.look().memory
    assert (found.used, found.limit, found.source) == (160 * MIB, 256 * MIB, CGROUP)
    assert found.resident == 105 * MIB
    assert found.stalled_ppm == 123_400
    host.now_ms += 30_000
    cpu = machine.look().cpu
    assert cpu is not None
    assert (cpu.limit_ppm, cpu.source, cpu.stalled_ppm) == (750_000, CGROUP, 15_000)


def test_the_tightest_group_above_counts(host: MadeHost) -> None:
    host.inside("a/b")
    host.group("a", {"memory.max": str(300 * MIB), "memory.current": str(290 * MIB)})
    host.group("a", {"cpu.max": "50000 100000"})
    host.group("a/b", {"memory.max": str(256 * MIB), "memory.current": str(100 * MIB)})
    host.group("a/b", {"cpu.max": "100000 100000"})
    group = cgroup.find(host.proc)
    assert group.memory_limit() == (300 * MIB, 290 * MIB)
    assert group.cpu_limit_ppm() == 500_000


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"memory.max": "", "memory.current": "x", "cpu.max": "1"},
        {"memory.max": "-5", "memory.current": "7", "cpu.max": "5 0"},
        {"memory.max": "5", "cpu.max": "max max", "memory.pressure": "full avg60=x\nfull"},
    ],
)
def test_files_that_say_nothing_limit_nothing(host: MadeHost, files: dict[str, str]) -> None:
    host.inside("odd")
    host.group("odd", {"here": "", **files})
    group = cgroup.find(host.proc)
    assert group.memory_limit() is None
    assert group.cpu_limit_ppm() is None
    assert group.pressure("memory", "full") is None
    assert host.machine().look().memory.source == MACHINE


def test_version_1_alone_is_no_group(host: MadeHost) -> None:
    host.write("proc/self/cgroup", "4:memory:/somewhere\n")
    assert cgroup.find(host.proc).folders == ()


def test_pressure_of_the_machine_where_there_is_no_group(host: MadeHost) -> None:
    host.write("proc/pressure/memory", "some avg60=1.00\nfull avg10=0.00 avg60=50.00 total=1\n")
    assert host.machine().look().memory.stalled_ppm == 500_000
