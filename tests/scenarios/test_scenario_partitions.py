"""Four real gateways and a network that comes apart: nothing is decided twice, nothing is lost."""

import contextlib
from collections.abc import Iterator

import pytest
from wattle_testkit.alliance import Board, reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.alliance_story import DEADLINE_S, audited, visitor
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.peer_network import PeerNetwork
from wattle_testkit.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scenario partitions")]

BEGIN_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork() as made:
        yield made


@pytest.fixture(scope="module")
def alliance(
    tmp_path_factory: pytest.TempPathFactory, network: PeerNetwork
) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path_factory.mktemp("partitions"), change=network.change)
    network.serve(made)
    try:
        made.start()
        yield made
    finally:
        made.kill()


class Reporter:
    """A board and the gateways that it is connected to."""

    def __init__(self, board: Board, home: GatewayProcess, stack: contextlib.ExitStack) -> None:
        self._board = board
        self._home = home
        self._stack = stack
        self._meters: dict[int, PaperMeter] = {}
        self._sample = board.sample(1, [reading(BEGIN_MS)])

    def send_to(self, gateway: GatewayProcess) -> PaperMeter:
        """Send the sample and wait until it is durable there."""
        if gateway.port not in self._meters:
            meter = self._stack.enter_context(visitor(self._board, self._home, gateway))
            self._meters[gateway.port] = meter
        self._meters[gateway.port].send(self._sample)
        self._meters[gateway.port].await_durable(1)
        return self._meters[gateway.port]


@pytest.fixture
def reporters(
    alliance: AllianceProcesses, request: pytest.FixtureRequest
) -> Iterator[list[Reporter]]:
    """One at home at each gateway."""
    boards = [alliance.board(f"{request.node.name} {number}") for number in range(4)]
    for board, gateway in zip(boards, alliance, strict=True):
        gateway.enrol(board)
    alliance.await_same_head(1)
    with contextlib.ExitStack() as stack:
        yield [
            Reporter(board, gateway, stack) for board, gateway in zip(boards, alliance, strict=True)
        ]


def test_three_go_on_without_one_that_is_cut_off_and_it_catches_up(
    alliance: AllianceProcesses, network: PeerNetwork, reporters: list[Reporter]
) -> None:
    *most, lonely = alliance
    before = lonely.status()["commit"]
    network.partition((0, 1, 2), (3,), reset=False)
    alone = reporters[3].send_to(lonely)
    for meter in [reporter.send_to(at) for reporter, at in zip(reporters, most, strict=False)]:
        meter.await_final(1)
    most[0].enrol(alliance.board("meanwhile"))
    alliance.await_same_head(before + 1, most)
    # What was under way before the cut may still have decided something; alone it decides nothing.
    assert lonely.status()["commit"] <= most[0].status()["commit"]
    assert all(ack.final == 0 for ack in alone.acks)
    network.heal()
    alone.await_final(1)
    alliance.await_same_head(most[0].status()["commit"])


def test_two_and_two_decide_nothing_and_agree_when_they_meet(
    alliance: AllianceProcesses, network: PeerNetwork, reporters: list[Reporter]
) -> None:
    network.partition((0, 1), (2, 3), reset=True)
    for gateway, others in zip(alliance, ((2, 3), (2, 3), (0, 1), (0, 1)), strict=True):
        cut = {alliance[number].member.kid.hex() for number in others}
        until(
            lambda at=gateway, kids=cut: not kids & _up(at),  # type: ignore[misc]
            DEADLINE_S,
            "the links across are gone",
        )
    heads = {gateway.status()["commit"] for gateway in alliance}
    meters = [
        reporter.send_to(gateway) for reporter, gateway in zip(reporters, alliance, strict=True)
    ]
    # A meter that was on both sides: its sample will be in the ledger once.
    meters.append(reporters[0].send_to(alliance[2]))
    assert {gateway.status()["commit"] for gateway in alliance} <= heads
    assert all(ack.final == 0 for meter in meters for ack in meter.acks)
    network.heal()
    for meter in meters:
        meter.await_final(1)
    alliance.await_same_head(max(heads) + 1)
    lines = {line["meter"]: line for line in alliance[1].status()["meters"]}
    assert [lines[meter.meter]["samples"] for meter in meters] == [1] * 5


def _up(gateway: GatewayProcess) -> set[str]:
    peers = gateway.ask("live")["live"]["peers"]
    return {peer["kid"] for peer in peers if peer["up_s"] is not None}


def test_all_four_audit_to_the_same_head_and_state(alliance: AllianceProcesses) -> None:
    alliance[0].enrol(alliance.board("audited"))  # something to commit, were it the only test
    alliance.await_same_head(1)
    for gateway in alliance:
        assert gateway.stop() == 0
    assert len({audited(gateway) for gateway in alliance}) == 1
