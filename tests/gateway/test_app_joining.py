"""A gateway is invited, follows as a guest, and becomes a member without a new genesis."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.consensus.engine import Now
from wattle_gateway.home import create, invitation
from wattle_gateway.home.identity import load_identity
from wattle_gateway.ledger import crypto, entry, genesis, ready, transaction
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.transaction import Change
from wattle_gateway.runtime.clock import steady_ms, wall_ms
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.queue import entry_row
from wattle_testkit.alliance import reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_folders import choice
from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

BEGIN_MS = 1_800_000_000_000
DEADLINE_S = 60.0


@pytest.fixture
def founder(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path, voting=1)
    made.start()
    yield made
    made.kill()


def test_one_becomes_two(founder: AllianceProcesses, tmp_path: Path) -> None:
    first = founder[0]
    joiner = invited(first, tmp_path / "joiner")
    founder.gateways.append(joiner)
    board = founder.board("meter")
    first.enrol(board)
    samples = [board.sample(seq, [reading(BEGIN_MS + 1000 * seq)]) for seq in (1, 2)]
    with PaperMeter(board, first) as meter:
        meter.send(samples[0])
        meter.await_final(1)
    joiner.start()
    founder.await_same_head(2)  # as a guest
    (peer,) = first.ask("live")["live"]["peers"]
    assert (peer["kid"], peer["guest"]) == (joiner.member.kid.hex(), True)
    until(
        lambda: (
            [row["kid"] for row in first.ask("live")["live"]["candidates"]]
            == [joiner.member.kid.hex()]
        ),
        DEADLINE_S,
        "it asks to become a member",
    )
    first.stop()
    admit(first, joiner)
    first.start()
    founder.await_linked(list(founder))
    until(lambda: not guests(first), DEADLINE_S, "it comes with its certificate")
    with PaperMeter(board, first) as meter:
        meter.send(samples[1])
        meter.await_final(2)
    founder.await_same_head(3)
    for gateway in founder:
        assert gateway.stop() == 0
        done = command("audit", gateway.folder)
        assert done.returncode == 0, done.stdout + done.stderr


def guests(gateway: GatewayProcess) -> list[str]:
    """The guests of a gateway."""
    return [peer["kid"] for peer in gateway.ask("live")["live"]["peers"] if peer["guest"]]


def invited(by: GatewayProcess, folder: Path) -> GatewayProcess:
    """A gateway that joins by an invitation, not started."""
    now_ms = time.time_ns() // 1_000_000
    path = folder.with_name("invitation.json")
    until_ms = now_ms + 3_600_000
    role = genesis.GRID_COMPANY
    invitation.write_invitation(by.home, path, [], until_ms, now_ms, name="joiner", role=role)
    port = free_port()
    chosen = choice("joiner", port=port, peers_port=free_port())
    create.create_joining(folder, invitation.load(path), chosen, now_ms)
    return GatewayProcess(folder, port=port)


def admit(founder: GatewayProcess, joiner: GatewayProcess) -> None:
    """Commit, on the ledger of the stopped founder, the epoch that has the joiner as well."""
    ours, theirs = load_identity(founder.home), load_identity(joiner.home)
    sign = crypto.signer(ours.block_key)
    driver = LedgerDriver(founder.home.database, founder.epoch, ours.kid, sign)
    driver.open()
    try:
        wish = ready.build(
            founder.epoch.ledger_id,
            crypto.signer(theirs.block_key),
            epoch=0,
            commit_index=driver.head.index,
            commit_digest=driver.head.digest,
            member=theirs.member,
        )
        members = tuple(sorted((ours.member, theirs.member), key=lambda member: member.kid))
        following = EpochChange(members, genesis.RULES, founder.epoch.constants)
        raw = transaction.build(
            founder.epoch.ledger_id,
            ours.kid,
            sign,
            lane=0,
            nonce=driver.next_nonce(0),
            until_ms=wall_ms() + 3_600_000,
            kind=transaction.CHANGE,
            body=transaction.change_body(Change(0, following, (wish,))),
        )
        row = entry_row(entry.encode(entry.TRANSACTION, raw, 60_000), founder.epoch.ledger_id)
        driver.add([row], Now(wall_ms(), steady_ms()))
        until(lambda: in_epoch_one(driver), DEADLINE_S, "the change is committed")
    finally:
        driver.close()


def in_epoch_one(driver: LedgerDriver) -> bool:
    """Whether the next epoch has begun; lets time pass."""
    driver.tick(Now(wall_ms(), steady_ms()))
    return driver.epoch.number == 1
