"""What strangers can do to the listening socket: little, and members are served meanwhile."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from wattle_gateway.errors import PeerError
from wattle_gateway.peers import greeting, listener, sockets, tls
from wattle_gateway.peers.listener import BoundedListener
from wattle_gateway.sync.messages import Bye, Hello, Subscribe
from wattle_testkit.peer_party import (
    DEADLINE_S,
    GENESIS,
    LOOPBACK,
    PARTIES,
    PeerParty,
    meet,
    message,
    run_story,
    soon,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus


def run(folder: Path, story: Callable[[PeerParty, PeerParty], Awaitable[None]]) -> None:
    """A story about two members; afterwards they still get a link that carries."""

    async def of_two(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two):
            await story(one, two)
            async with two.running(one):
                meet(one, two)
                await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
                two.links.send(one.kid, message("fine"))
                await soon(lambda: one.messages_of(two) == [message("fine")], "it carries")

    run_story(folder, of_two)


@asynccontextmanager
async def stranger(one: PeerParty) -> AsyncIterator[ClientConnection]:
    """A WebSocket to a member by somebody without a certificate."""
    one.book.take(one.card(one.links.port))
    card = one.book.card(one.kid)
    assert card is not None
    connection = await sockets.dial(card, tls.client_context(None, one.certificate))
    try:
        yield connection
    finally:
        await connection.close()


async def said(connection: ClientConnection) -> str:
    """What the member says after its hello, until it hangs up."""
    first = await asyncio.wait_for(connection.recv(), DEADLINE_S)
    assert isinstance(first, bytes)
    assert first[0] == 1
    try:
        last = await asyncio.wait_for(connection.recv(), DEADLINE_S)
        await asyncio.wait_for(connection.recv(), DEADLINE_S)
    except ConnectionClosed:
        pass
    assert isinstance(last, bytes)
    return greeting.farewell(last)


GARBAGE = [
    (b"", "no hello: message of 0 bytes"),
    (b"\x01", "no hello"),
    (b"\xff" * 100, "no hello"),
    (bytes(2000), "no hello"),
    ("text", "no hello"),
    (Subscribe(0, 0).encode(), "a subscribe, expected hello"),
    (Bye(0, "never mind").encode(), "does not want us: never mind"),
    (Hello(bytes(16), b"k" * 8, 0, 0, bytes(32)).encode(), "on ledger 0000"),
    (
        Hello(GENESIS.ledger_id, b"k" * 8, 0, 0, bytes(32)).encode(),
        "neither a certificate nor a token",
    ),
    (
        Hello(GENESIS.ledger_id, PARTIES[0].kid, 0, 0, bytes(32), bytes(32)).encode(),
        "it says it is us",
    ),
]


@pytest.mark.parametrize(("first", "answer"), GARBAGE)
def test_who_says_no_hello_of_a_member_is_told_and_hung_up_on(
    tmp_path: Path, first: bytes | str, answer: str
) -> None:
    async def story(one: PeerParty, _two: PeerParty) -> None:
        async with stranger(one) as connection:
            await connection.send(first)
            assert answer in await said(connection)
        assert one.links.strangers == 1
        assert one.heard == []

    run(tmp_path, story)


def test_who_says_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeting, "HELLO_WITHIN_S", 0.2)

    async def story(one: PeerParty, _two: PeerParty) -> None:
        async with stranger(one) as connection:
            assert "no hello within" in await said(connection)
        monkeypatch.undo()

    run(tmp_path, story)


def test_a_stranger_cannot_send_a_large_message(tmp_path: Path) -> None:
    async def story(one: PeerParty, _two: PeerParty) -> None:
        async with stranger(one) as connection:
            await connection.send(bytes(sockets.GUEST_MESSAGE_BYTES_MAX + 1))
            await asyncio.wait_for(connection.wait_closed(), DEADLINE_S)
            assert connection.close_code == 1009  # message too big (RFC 6455 section 7.4.1)

    run(tmp_path, story)


def test_a_flood_of_pings_ends_the_connection(tmp_path: Path) -> None:
    async def story(one: PeerParty, two: PeerParty) -> None:
        async with stranger(one) as connection:
            with contextlib.suppress(ConnectionClosed):
                for _ in range(2 * sockets.CONTROL_FRAMES_BURST):
                    await connection.ping()
            await asyncio.wait_for(connection.wait_closed(), DEADLINE_S)
        async with two.running(one):  # and who is dialled may do no more
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            held = two.links._links[one.kid]
            with contextlib.suppress(ConnectionClosed):
                for _ in range(2 * sockets.CONTROL_FRAMES_BURST):
                    await held._socket.ping()
            await asyncio.wait_for(held.ended.wait(), DEADLINE_S)

    run(tmp_path, story)


def test_another_path_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(one: PeerParty, _two: PeerParty) -> None:
        check = sockets.PATH
        monkeypatch.setattr(sockets, "PATH", "/")
        one.book.take(one.card(one.links.port))
        card = one.book.card(one.kid)
        assert card is not None
        dialling = asyncio.create_task(
            sockets.dial(card, tls.client_context(None, one.certificate))
        )
        await asyncio.sleep(0)  # the request line is made, the answer not yet
        monkeypatch.setattr(sockets, "PATH", check)
        with pytest.raises(PeerError, match="404") as caught:
            await dialling
        assert isinstance(caught.value.__cause__, InvalidStatus)

    run(tmp_path, story)


def test_noise_and_older_tls_end_in_the_handshake(tmp_path: Path) -> None:
    def talk(port: int) -> None:
        with socket.create_connection((LOOPBACK, port), DEADLINE_S) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
            while raw.recv(1000):
                pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection((LOOPBACK, port), DEADLINE_S) as raw,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(raw)

    async def story(one: PeerParty, _two: PeerParty) -> None:
        await asyncio.to_thread(talk, one.links.port)
        assert one.heard == []

    run(tmp_path, story)


def test_connections_beyond_the_limits_are_refused_and_make_room_when_they_end() -> None:
    held = BoundedListener(socket.AF_INET, connections_max=4, an_address_max=2)
    with held:
        held.bind((LOOPBACK, 0))
        held.listen(8)
        held.settimeout(DEADLINE_S)
        port = held.getsockname()[1]
        callers = [socket.create_connection((LOOPBACK, port)) for _ in range(3)]
        taken = [held.accept()[0] for _ in range(2)]
        with pytest.raises(ConnectionAbortedError, match="too many connections"):
            held.accept()
        assert held.refused == 1
        taken.pop().close()
        callers.append(socket.create_connection((LOOPBACK, port)))
        taken.append(held.accept()[0])
        other = socket.socket()
        other.bind(("127.0.0.2", 0))
        other.connect((LOOPBACK, port))
        callers.append(other)
        taken.append(held.accept()[0])  # another address has a share of its own
        for one in [*callers, *taken]:
            one.close()


def test_a_full_listener_still_links_to_who_it_dials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener.BoundedListener.__init__, "__defaults__", (3, 3))

    async def story(one: PeerParty, two: PeerParty) -> None:
        callers = [socket.create_connection((LOOPBACK, one.links.port)) for _ in range(5)]
        await soon(lambda: one.links.strangers >= 2, "two are refused")
        async with two.running(one):
            two.book.take(one.card(1))  # it cannot reach one
            two.links.card_changed(one.kid)
            one.knows(two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
        for caller in callers:
            caller.close()

    run(tmp_path, story)
