"""A meter with two gateways in order of preference, each with a broker of its own.

What both gateways hold is one ledger here: `final` is the same whoever acks.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.pki import authority
from wattle_hil import parts
from wattle_hil.children.processes import Process, ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import FIRMWARE, SITE, MeterSite, emulated_sdm120
from wattle_testkit.script_gateway import EnrolledMeter
from wattle_tools import board_folder, proof
from wattle_tools.board_folder import BoardChoice, DeviceChoice, Firmware
from wattle_tools.board_folder import Line as LineChoice

PROGRAM = Path(__file__).parent / "programs" / "hasty_meter.py"
STANDSTILL_MS, RETRY_MS = 2_500, 8_000
DEADLINE_S = 40.0

pytestmark = pytest.mark.slow


class TwoGateways:
    """`first` is preferred. Their brokers let the meter in, whose process is not started."""

    def __init__(self, folder: Path, group: ProcessGroup, line: Line) -> None:
        self.first, self.second = (_site(folder / name, group) for name in ("first", "second"))
        trusted = [authority.pem(site.authority.certificate) for site in self.sites]
        for site in self.sites:
            (site.folder / "authority.pem").write_bytes(b"".join(trusted))
        board = folder / "board"
        interpreter = parts.micropython(64)
        choice = BoardChoice([DeviceChoice(1, "sdm120", 1)], LineChoice(str(line.link)), 1_000)
        files = [site.site_file() for site in self.sites]
        board_folder.provision(board, files, choice, Firmware(interpreter, FIRMWARE))
        proof_bytes = (board / proof.PROOF_FILE).read_bytes()
        self.heard: list[EnrolledMeter] = [
            site.gateway.enrol(proof_bytes, SITE) for site in self.sites
        ]
        self.heard[1].samples = self.heard[0].samples
        self.first.admit(self.heard[0].meter, board)
        self.second.admit_guest(self.heard[0].meter)
        arguments = (str(STANDSTILL_MS), str(RETRY_MS), str(board), "--log", "3")
        self.process = Process(
            "meter", (str(interpreter), str(PROGRAM), *arguments), folder / "meter.log"
        )

    @property
    def sites(self) -> tuple[MeterSite, MeterSite]:
        return self.first, self.second

    def until_more_at(self, which: int, what: str) -> None:
        """Returns when gateway `which` has got three more samples. Its head is the newest."""
        gateways = [site.gateway for site in self.sites]
        gateways[which].commits = max(gateway.commits for gateway in gateways) + 1
        before = len(self.heard[which].arrivals)
        waiting.until(lambda: len(self.heard[which].arrivals) >= before + 3, DEADLINE_S, what)


def _site(folder: Path, group: ProcessGroup) -> MeterSite:
    folder.mkdir()
    return MeterSite(folder, group)


@pytest.fixture
def two(tmp_path: Path, group: ProcessGroup) -> Iterator[TwoGateways]:
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        two = TwoGateways(tmp_path, group, line)
        yield two
        for site in two.sites:
            site.gateway.disconnect()


def test_the_next_gateway_is_used_while_the_preferred_one_does_not_do_its_work(
    two: TwoGateways, group: ProcessGroup
) -> None:
    two.second.start_broker()
    group.start(two.process)
    two.until_more_at(1, "the second gateway while the first is away")
    two.first.start_broker()
    two.until_more_at(0, "the first gateway, which is back")
    two.first.gateway.acking = False  # it takes samples and passes nothing on
    two.until_more_at(1, "the second gateway while the first keeps samples to itself")
    two.first.gateway.acking = True
    two.until_more_at(0, "the first gateway, which does its work again")
    two.process.stop(10.0)
    samples = two.heard[0].samples
    assert sorted(samples) == list(range(1, max(samples) + 1))
    assert two.heard[0].broken == two.heard[1].broken == []
    assert two.heard[0].broken_links() == []
    assert {sample.boot for sample, _, _ in samples.values()} == {1}
    assert all(not sample.gaps for sample, _, _ in samples.values())
    readings = [reading for seq in sorted(samples) for reading in samples[seq][0].readings]
    times = [reading.time_ms for reading in readings]
    assert times == list(range(times[0], times[-1] + 1, 1_000)), "sampling waited for the network"
