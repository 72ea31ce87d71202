"""Three honest gateways and one that is none, each a process: it is found out, they go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_testkit.alliance_processes import START_DEADLINE_S, AllianceProcesses
from wattle_testkit.alliance_story import DEADLINE_S, audited, cheats
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.waiting import until

pytestmark = pytest.mark.slow

LIAR = "wattle_testkit.liar_gateway"


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path)
    try:
        yield made
    finally:
        made.kill()


def start(alliance: AllianceProcesses, vice: str) -> tuple[GatewayProcess, list[GatewayProcess]]:
    """All four, the last of them with a vice; gives it and the honest ones, linked."""
    *honest, liar = alliance
    liar.begin(program=(LIAR, vice))
    for gateway in honest:
        gateway.begin()
    for gateway in alliance:
        gateway.await_up(START_DEADLINE_S)
    alliance.await_linked(honest)
    return liar, honest


def standing(gateway: GatewayProcess, liar: GatewayProcess) -> dict[str, object]:
    """What a gateway tells of its links to the liar."""
    kid = liar.member.kid.hex()
    peers = gateway.ask("live")["live"]["peers"]
    return next(peer for peer in peers if peer["kid"] == kid)


def test_who_signs_two_blocks_of_a_round_is_shown_on_every_honest_ledger(
    alliance: AllianceProcesses,
) -> None:
    liar, honest = start(alliance, "equivocates")
    alliance.await_linked(list(alliance))
    boards = iter(range(1_000))

    def shown_everywhere() -> bool:
        honest[0].enrol(alliance.board(f"busy {next(boards)}"))
        return all(cheats(gateway) for gateway in honest)

    until(shown_everywhere, DEADLINE_S, "evidence on every honest ledger")
    for gateway in honest:
        (shown,) = cheats(gateway)
        assert shown.kid == liar.member.kid
    before = honest[0].status()["commit"]
    for number, gateway in enumerate(honest):
        gateway.enrol(alliance.board(f"after the evidence {number}"))
    alliance.await_same_head(before + 1, honest)
    for gateway in honest:
        assert gateway.stop() == 0
    assert len({audited(gateway) for gateway in honest}) == 1


def test_who_sends_garbage_is_kept_off_and_the_others_go_on(alliance: AllianceProcesses) -> None:
    liar, honest = start(alliance, "garbles")

    def kept_off() -> bool:
        found = [standing(gateway, liar) for gateway in honest]
        return all(peer["kept_off_s"] and peer["up_s"] is None for peer in found)

    until(kept_off, DEADLINE_S, "every honest gateway keeps it off")
    for gateway in honest:
        assert standing(gateway, liar)["faults"]
    for number, gateway in enumerate(honest):
        gateway.enrol(alliance.board(f"in peace {number}"))
    alliance.await_same_head(1, honest)
    assert all(cheats(gateway) == [] for gateway in honest)
    for gateway in honest:
        assert gateway.stop() == 0
    assert len({audited(gateway) for gateway in honest}) == 1
