"""The MQTT client on real MicroPython over real TLS, against a broker that this test plays."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.pki import authority, keys
from wattle_testkit.played_broker import DUP, PUBLISH, Packet, Site


@pytest.fixture(params=[64, 32], ids=["micropython64", "micropython32"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A broker that has met nobody yet."""
    site = Site(tmp_path, request.param)
    yield site
    site.close()


def test_each_packet_is_one_record(site: Site) -> None:
    client = site.client(3)
    connection = site.broker.accept()
    assert connection.tls.getpeercert()
    connect = connection.accept()
    # 3.1: clean session, will retained at QoS 1, keep-alive, client id, will topic, will message
    assert connect.body == (
        b"\0\4MQTT\4\x2e" + (30).to_bytes(2, "big") + b"\0\5meter" + b"\0\4will" + b"\0\4gone"
    )
    subscribe = connection.packet()
    assert subscribe.body[2:] == b"\0\4down\1"
    connection.grant(subscribe)
    assert client.line() == "opened"
    for number in range(3):
        publish = connection.packet()
        assert (publish.first, publish.text) == (PUBLISH, b"%d" % number)
        connection.acknowledge(publish)
    assert client.line() == "published 3"
    connection.tls.send(b"\x32\x0a\0\4down\0\7hi")
    assert client.line() == "received down hi"
    assert connection.tls.recv(100) == b"\x40\x02\0\7"


def test_messages_without_puback_are_sent_again(site: Site) -> None:
    client = site.client(3)
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    first = [connection.packet() for _ in range(3)]
    connection.acknowledge(first[1])
    assert [client.line(), client.line()] == ["opened", "published 3"]
    connection.tls.close()
    assert client.line().startswith("closed OSError")
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    again = [connection.packet() for _ in range(2)]
    for before, after in zip([first[0], first[2]], again, strict=True):
        assert after == Packet(before.first | DUP, before.body)


def test_broker_with_another_name_is_refused(site: Site) -> None:
    client = site.client(1, server_name="other.test")
    with pytest.raises(OSError, match=r"alert|EOF|reset"):
        site.broker.accept().packet()
    assert "does not match" in client.line()


def test_broker_of_another_authority_is_refused(site: Site) -> None:
    site.replace_broker(authority.SiteAuthority.create(keys.new_p256(), "site"))
    client = site.client(1)
    with pytest.raises(OSError, match=r"alert|EOF|reset"):
        site.broker.accept().packet()
    assert client.line().startswith("closed ")


def test_broker_that_reads_no_more_is_left(site: Site) -> None:
    client = site.client(600, 15000, 500)
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    assert client.line() == "opened"
    # MicroPython does not wake who waits to write when the stream is closed: the publisher must
    # not be the one who does.
    assert sorted([client.line(), client.line()]) == [
        "closed a write did not end for 500 ms",
        "published 600",
    ]
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    assert connection.packet().first == PUBLISH | DUP
