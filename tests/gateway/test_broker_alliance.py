"""Brokers of an alliance: every member's meters get in, no member's authority gets more."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.app import broker_side
from wattle_gateway.home.identity import load_identity
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.pki import authority
from wattle_testkit.alliance import Party, genesis_of, private_key, reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.outside_broker import OutsideBroker
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

BEGIN_MS = 1_800_000_000_000
DEADLINE_S = 30.0


@pytest.fixture(scope="module", params=["embedded", "external"])
def alliance(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AllianceProcesses]:
    """Two members; the second one's broker is of the kind under test."""
    made = AllianceProcesses(
        tmp_path_factory.mktemp("alliance"),
        voting=2,
        change=lambda number, choice: (
            replace(choice, broker_kind=request.param) if number else choice
        ),
    )
    outside = OutsideBroker(made[1]) if request.param == "external" else None
    try:
        if outside is not None:
            outside.start()
        made.start()
        yield made
    finally:
        made.kill()
        if outside is not None:
            outside.stop()


def test_a_meter_of_another_member_is_served(alliance: AllianceProcesses) -> None:
    home, other = alliance
    board = alliance.board("traveller")
    home.enrol(board)
    certificate = home.home.meter_certificates / f"{board.kid.hex()}.pem"
    until(
        lambda: board.kid.hex() in known_to(other) or not is_embedded(other),
        DEADLINE_S,
        "the other's broker knows it",
    )
    alliance.await_same_head(1)
    with PaperMeter(board, other, certificate=certificate) as meter:
        meter.send(board.sample(1, [reading(BEGIN_MS)]))
        meter.await_final(1)


def is_embedded(gateway: GatewayProcess) -> bool:
    return gateway.ask("live")["live"]["broker_kind"] == "embedded"


def known_to(gateway: GatewayProcess) -> str:
    path = gateway.home.broker / "nats.conf"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("name", ["gateway", "own name"])
def test_a_members_authority_cannot_make_another_gateway(
    alliance: AllianceProcesses, tmp_path: Path, name: str
) -> None:
    liar, victim = alliance
    board = alliance.board(f"victim of {name}")
    victim.enrol(board)
    own_name = authority.common_name(authority.load_certificate(liar.home.certificate("gateway")))
    # A name that every gateway had, or the liar's own: its authority may write what it likes.
    forged = tmp_path / "forged.pem"
    issued = load_identity(liar.home).site_authority.issue_client(
        private_key(f"victim of {name} tls").public_key(), own_name if name == "own name" else name
    )
    forged.write_bytes(authority.pem(issued))
    with PaperMeter(board, victim) as meter:
        fake = PaperMeter(board, victim, certificate=forged)
        if fake.attempt():  # mosquitto lets in whom it knows nothing of, and grants nothing
            fake.client.subscribe("wattle/1/+/+/sample", qos=1)
            fake.client.publish(meter.topic("ack"), b"forged", qos=1)
            fake.client.publish(meter.topic("cmd"), b"forged", qos=1)
        meter.send(board.sample(1, [reading(BEGIN_MS)]))
        meter.await_durable(1)
        fake.close()
        assert fake.received == []
        assert b"forged" not in [payload for _, payload in meter.received]


def test_the_gateways_own_name_is_a_secret_of_its_folder(alliance: AllianceProcesses) -> None:
    names = set()
    for gateway in alliance:
        certificate = authority.load_certificate(gateway.home.certificate("gateway"))
        names.add(authority.common_name(certificate))
        assert gateway.folder.stat().st_mode & 0o077 == 0
        assert authority.common_name(certificate) not in gateway.home.bundle.read_text()
        assert authority.common_name(certificate) not in gateway.log.read_text()
    assert len(names) == 2
    assert all(len(name) == len("gateway-") + 32 for name in names)


def test_what_is_no_authority_is_not_handed_to_brokers() -> None:
    own = authority.SiteAuthority.create(private_key("own"), "home")
    other = authority.SiteAuthority.create(private_key("other"), "other")
    leaf = own.issue_client(private_key("leaf").public_key(), "leaf")
    epoch = first_epoch(genesis_of(Party("text"), Party("second")))
    assert broker_side.trusted(epoch, own) == (authority.pem(own.certificate),)
    assert authority.pem_of_authority(authority.der(other.certificate)) == authority.pem(
        other.certificate
    )
    assert authority.pem_of_authority(authority.der(leaf)) is None
    assert authority.pem_of_authority(b"") is None


def test_a_revoked_meter_of_another_member_is_out(alliance: AllianceProcesses) -> None:
    home, other = alliance
    board = alliance.board("stolen")
    home.enrol(board)
    certificate = home.home.meter_certificates / f"{board.kid.hex()}.pem"
    home.ask("revoke", meter=board.kid.hex(), last_seq=None)
    alliance.await_same_head(1)
    if is_embedded(other):
        until(lambda: board.kid.hex() not in known_to(other), DEADLINE_S, "forgotten")
        assert not PaperMeter(board, other, certificate=certificate).attempt()
    else:
        # mosquitto reads its list when it starts; until then ingest refuses what it carries.
        meter = PaperMeter(board, other, certificate=certificate)
        assert meter.attempt()
        before = other.refused().get("revoked", 0)
        meter.client.publish(meter.topic("sample"), board.sample(1).raw, qos=1)
        until(lambda: other.refused().get("revoked", 0) > before, DEADLINE_S, "refused")
        meter.close()


def test_site_json_lists_the_gateways_to_try(alliance: AllianceProcesses) -> None:
    for gateway, other in (tuple(alliance), tuple(reversed(alliance.gateways))):
        rows = json.loads(gateway.home.bundle.read_text())["gateways"]
        assert [row["name"] for row in rows] == [gateway.member.name, other.member.name]
        assert [row["port"] for row in rows] == [gateway.port, other.port]
        assert [row["link_key"] for row in rows] == [
            gateway.member.link_key.hex(),
            other.member.link_key.hex(),
        ]
