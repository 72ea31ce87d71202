"""Who is not allowed gets nowhere at the broker and harms nobody; the same for both brokers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from wattle_gateway.pki import authority, keys
from wattle_gateway.pki.authority import SiteAuthority
from wattle_testkit.alliance import Board, private_key, reading
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.outside_broker import OutsideBroker
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

INTERNAL = [
    "$MQTT/msgs/wattle/1/home/{victim}/sample",
    "$MQTT/rmsgs/wattle",
    "$MQTT/sess/x",
    "$JS/API/STREAM/DELETE/$MQTT_msgs",
    "$JS/API/STREAM/PURGE/$MQTT_msgs",
    "$SYS/REQ/SERVER/PING",
    "$SYS/broker/log",
    "_INBOX/x",
]
FILTERS = [
    "#",
    "+/+/+/+/+",
    "wattle/#",
    "wattle/1/+/+/ack",
    "wattle/1/home/{victim}/ack",
    "wattle/1/home/{victim}/sample",
    "wattle/1/+/+/sample",
    "$MQTT/#",
    "$JS/#",
    "$SYS/#",
    "_INBOX/#",
    "$share/group/wattle/#",
]


@dataclass
class Site:
    """A gateway at a broker; `victim` and `liar` are enrolled meters, the victim is connected."""

    gateway: GatewayProcess
    victim: PaperMeter
    liar: Board
    sent: int = 0

    def victim_goes_on(self) -> None:
        """The victim's next sample becomes durable, and nobody has put one in between."""
        self.sent += 1
        at_ms = 1_800_000_000_000 + 1000 * self.sent
        signed = self.victim.board.sample(self.sent, [reading(at_ms)])
        self.victim.send(signed)
        ack = self.victim.await_durable(self.sent)
        assert ack.missing == []
        assert ack.refused == []

    def liar_meter(self, **words: str | Path) -> PaperMeter:
        return PaperMeter(self.liar, self.gateway, **words)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["embedded", "external"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("broker") / "gateway"
    gateway = GatewayProcess(folder, "--broker", request.param)
    outside = OutsideBroker(gateway) if request.param == "external" else None
    try:
        if outside is not None:
            outside.start()
        gateway.start()
        victim, liar = gateway.board("victim"), gateway.board("liar")
        gateway.enrol(victim)
        gateway.enrol(liar)
        with PaperMeter(victim, gateway) as meter:
            yield Site(gateway, meter, liar)
    finally:
        gateway.kill()
        if outside is not None:
            outside.stop()


def test_no_certificate_no_connection(site: Site, tmp_path: Path) -> None:
    assert not site.liar_meter(certificate=tmp_path / "none.pem").attempt()
    site.victim_goes_on()


def test_a_certificate_of_another_authority_is_refused(site: Site, tmp_path: Path) -> None:
    foreign = SiteAuthority.create(keys.new_p256(), "home")
    own_key = private_key("liar tls").public_key()
    path = tmp_path / "forged.pem"
    path.write_bytes(authority.pem(foreign.issue_client(own_key, site.victim.meter)))
    assert not site.liar_meter(certificate=path).attempt()
    site.victim_goes_on()


def test_anothers_topics_cannot_be_published(site: Site) -> None:
    before = site.gateway.counted("unknown_topic"), site.gateway.refused()
    liar = site.liar_meter()
    assert liar.attempt()
    for leaf in ("sample", "birth", "state", "ack", "cmd"):
        for topic in (site.victim.topic(leaf), f"wattle/1/other/{site.victim.meter}/{leaf}"):
            liar.client.publish(topic, b"forged", qos=1)
    acks = len(site.victim.received)
    site.victim_goes_on()
    liar.close()
    assert (site.gateway.counted("unknown_topic"), site.gateway.refused()) == before
    forged = [payload for _, payload in site.victim.received[acks:] if payload == b"forged"]
    assert not forged


def test_broker_internal_subjects_lead_nowhere(site: Site) -> None:
    before = site.gateway.refused()
    liar = site.liar_meter()
    assert liar.attempt()
    for topic in INTERNAL:
        liar.client.publish(topic.format(victim=site.victim.meter), b"forged", qos=1)
        liar.client.publish(topic.format(victim=site.victim.meter), b"forged", qos=1, retain=True)
    site.victim_goes_on()
    liar.close()
    assert site.gateway.refused() == before


def test_nothing_of_others_can_be_read(site: Site) -> None:
    liar = site.liar_meter()
    assert liar.attempt()
    for name in FILTERS:
        liar.client.subscribe(name.format(victim=site.victim.meter), qos=1)
    own = liar.topic("ack")
    liar.subscribe(own)
    received = len(site.victim.received)
    site.victim_goes_on()
    until(lambda: len(site.victim.received) > received, 10, "the victim hears its ack")
    liar.say_online()
    until(lambda: any(topic == own for topic, _ in liar.received), 10, "the liar hears its own")
    liar.close()
    assert {topic for topic, _ in liar.received} <= {own, liar.topic("cmd")}


def test_another_meters_client_id_gains_nothing(site: Site) -> None:
    # Its meter id is known to all, its random id of this connection to nobody; try both.
    known = site.victim.client._client_id.decode()
    for client_id in (site.victim.meter, known):
        liar = site.liar_meter(client_id=client_id)
        liar.attempt()
        site.victim_goes_on()
        liar.close()
        assert not [topic for topic, _ in liar.received if site.victim.meter in topic]


def test_another_site_is_not_the_meters_own(site: Site) -> None:
    liar = site.liar_meter(site="elsewhere")
    assert liar.attempt()
    before = site.gateway.counted("state.not_enrolled")
    liar.client.publish(liar.topic("state"), b"\x82\x01\x02", qos=1)
    site.victim_goes_on()
    liar.close()
    # mosquitto's pattern knows no sites and lets it through: then the gateway does not heed it.
    assert site.gateway.counted("state.not_enrolled") - before in (0, 1)
