"""The network half of the fault matrix: the MQTT client on real MicroPython, real TLS, real bytes.

What a lost Wi-Fi does to a connection is what a silent or closed peer does; the rest of it is the
ESP32 board's business. That sampling never waits for any of this: test_meter_process.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from wattle_testkit.played_broker import DUP, PUBLISH, Connection, Site

PINGREQ = 0xC0


@pytest.fixture(params=[64, 32], ids=["micropython64", "micropython32"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A broker that has met nobody yet."""
    site = Site(tmp_path, request.param)
    yield site
    site.close()


def opened(site: Site) -> Connection:
    connection = site.broker.accept()
    connection.open()
    return connection


def test_a_refused_login_is_tried_again(site: Site) -> None:
    client = site.client(1)
    for code in (5, 3):
        site.broker.accept().accept(code)
        assert client.line().startswith("closed MqttError")
    opened(site)
    assert client.line() == "opened"


def test_a_broker_that_is_not_there_yet_is_found_when_it_comes(site: Site) -> None:
    port = site.broker.port
    site.broker.close()
    client = site.client(1)
    assert client.line().startswith("closed OSError")
    site.replace_broker(site.authority, port=port)
    connection = opened(site)
    assert connection.packet().text == b"0"


def test_a_name_that_nobody_knows_is_no_end(site: Site) -> None:
    client = site.client(1, host="broker.invalid")
    assert client.line().startswith("closed OSError")
    assert client.line().startswith("closed OSError")


def test_an_expired_certificate_is_refused_until_there_is_another(site: Site) -> None:
    port = site.broker.port
    site.replace_broker(site.authority, datetime(2020, 1, 1, tzinfo=UTC), port)
    client = site.client(1)
    with pytest.raises(OSError, match=r"alert|EOF|reset"):
        site.broker.accept().packet()
    assert "closed " in client.line()
    site.replace_broker(site.authority, port=port)
    connection = site.broker.accept()
    connection.open()
    assert connection.packet().text == b"0"


def test_a_half_open_connection_is_left(site: Site) -> None:
    client = site.client(0, 0, 300, 300)
    assert client.line() == "published 0"
    connection = opened(site)
    assert client.line() == "opened"
    assert connection.packet().first == PINGREQ
    assert client.line() == "closed no answer to a ping for 300 ms"
    opened(site)
    assert client.line() == "opened"


def test_a_ping_that_is_answered_keeps_the_connection(site: Site) -> None:
    client = site.client(0, 0, 5000, 200)
    connection = opened(site)
    assert [client.line(), client.line()] == ["published 0", "opened"]
    for _ in range(3):
        assert connection.packet().first == PINGREQ
        connection.tls.send(b"\xd0\x00")
    connection.tls.send(b"\x30\x08\0\4downhi")
    assert client.line() == "received down hi"


def test_a_lost_puback_costs_a_connection_and_no_message(site: Site) -> None:
    client = site.client(2, 0, 5000, 400)
    connection = opened(site)
    first = connection.packet()
    connection.acknowledge(connection.packet())
    assert [client.line(), client.line()] == ["opened", "published 2"]
    assert client.line() == "closed no PUBACK for 400 ms"
    connection = opened(site)
    again = connection.packet()
    assert (again.first, again.body) == (first.first | DUP, first.body)
    connection.acknowledge(again)


def test_a_repeated_puback_acknowledges_once(site: Site) -> None:
    client = site.client(3)
    connection = opened(site)
    packets = [connection.packet() for _ in range(3)]
    for _ in range(3):
        connection.acknowledge(packets[1])
    assert [client.line(), client.line()] == ["opened", "published 3"]
    connection.tls.close()
    assert client.line().startswith("closed ")
    connection = opened(site)
    again = [connection.packet() for _ in range(2)]
    assert [packet.body for packet in again] == [packets[0].body, packets[2].body]
    assert {packet.first for packet in again} == {PUBLISH | DUP}


def test_a_broker_that_closes_in_the_middle_is_no_end(site: Site) -> None:
    client = site.client(1)
    site.broker.accept().tls.close()
    assert client.line().startswith("closed ")
    connection = site.broker.accept()
    connection.accept()
    connection.tls.close()
    assert client.line().startswith("closed ")
    opened(site)
    assert client.line() == "opened"


@pytest.mark.parametrize(
    "nonsense", [b"\xff" * 40, b"\x20\x02\x00\x00", b"\x30\xff\xff\xff\x7f", b"\x90\x00"]
)
def test_nonsense_ends_the_connection_only(site: Site, nonsense: bytes) -> None:
    client = site.client(1)
    connection = opened(site)
    assert [client.line(), client.line()] == ["opened", "published 1"]
    connection.packet()
    connection.tls.send(nonsense)
    assert client.line().startswith("closed ")
    assert opened(site).packet().first == PUBLISH | DUP
