"""The gateway's own subscriptions, at a broker that refuses them for a while."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from wattle_gateway.broker import nats_config, permissions
from wattle_gateway.broker.nats import NatsBroker, authorities_file
from wattle_gateway.broker.permissions import BrokerAccess, MeterAccess
from wattle_gateway.broker.program import find
from wattle_gateway.ingest.mqtt_link import MqttLink, TlsFiles
from wattle_gateway.pki import authority
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.waiting import until

METER = MeterAccess("00" * 8, "home")
SAMPLES = '"wattle.1.*.*.sample"'


def test_a_refused_subscription_is_asked_for_again(tmp_path: Path) -> None:
    """Until it is granted the link does not call itself up: samples would be lost unnoticed."""
    gateway = GatewayProcess(tmp_path / "gateway")
    asyncio.run(_refuse_then_grant(gateway))


async def _refuse_then_grant(gateway: GatewayProcess) -> None:
    home, ups = gateway.home, []
    files = nats_config.NatsFiles(
        home.certificate("broker"),
        home.key("broker"),
        authorities_file(home.broker),
        home.broker / "store",
    )

    def render(meters: Iterable[MeterAccess]) -> str:
        name = authority.common_name(authority.load_certificate(home.certificate("gateway")))
        text = nats_config.render("127.0.0.1", gateway.port, files, name, meters)
        assert SAMPLES in text
        return text if meters else text.replace(SAMPLES, '"nothing"')

    trusted = (home.certificate("authority").read_bytes(),)
    broker = NatsBroker(find(""), home.broker, render, BrokerAccess(frozenset(), trusted))
    link = MqttLink(
        "127.0.0.1",
        gateway.port,
        TlsFiles(home.certificate("authority"), home.certificate("gateway"), home.key("gateway")),
        permissions.gateway_subscribes(),
        lambda message: message.done(),
        lambda: ups.append(True),
    )
    await broker.start()
    try:
        link.start()
        await asyncio.to_thread(until, lambda: link.connects, 10, "connected")
        await asyncio.to_thread(until, lambda: link.refusals, 10, "refused")
        assert not link.up
        await broker.update(BrokerAccess(frozenset({METER}), trusted))
        await asyncio.to_thread(until, lambda: link.up, 20, "subscribed")
        assert ups == [True]
        assert link.connects == 1
    finally:
        await link.stop()
        await broker.stop()
