"""Peer links over real sockets and TLS: who may connect, which link is kept, what comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from wattle_gateway.peers import link as link_module
from wattle_gateway.peers import links as links_module
from wattle_gateway.peers import standing
from wattle_testkit.peer_party import (
    DEADLINE_S,
    PARTIES,
    PeerParty,
    meet,
    message,
    run_story,
    soon,
)


def test_members_that_know_each_other_have_one_link_that_carries_messages(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            assert one.links.send(two.kid, message("there"))
            assert two.links.send(one.kid, message("back"))
            await soon(lambda: one.messages_of(two) == [message("back")], "an answer")
            assert two.messages_of(one) == [message("there")]
            assert one.heard[0] == ("up", two.kid, b"")
            assert not one.links.send(PARTIES[3].kid, message("to nobody"))

    run_story(tmp_path, story)


def test_of_two_links_the_one_that_the_lower_kid_dialled_is_kept(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        low, high = parties
        async with low.running(high), high.running(low):
            low.book.take(high.card(1))  # its certificate, but not where it is
            low.links.card_changed(high.kid)
            high.knows(low)
            await soon(lambda: low.has_link(high) and high.has_link(low), "the higher dialled")
            assert high.links.status()[0].dialled
            low.knows(high, high.card(high.links.port))
            async with dialling(low, high):  # as it does that does not know of the link yet
                await soon(lambda: low.links.status()[0].dialled, "the lower's is kept there")
                await soon(
                    lambda: high.has_link(low) and not high.links.status()[0].dialled, "and here"
                )
                once_more = ["up", "down", "up"]
                await soon(lambda: _told(low) == _told(high) == once_more, "told so")
                await asyncio.wait_for(high.links._dial(low.kid), DEADLINE_S)  # given up
                assert low.has_link(high)
                assert _told(low) == _told(high) == once_more
                low.links.send(high.kid, message("end"))
                await soon(lambda: high.messages_of(low) == [message("end")], "it carries")

    run_story(tmp_path, story)


def _told(party: PeerParty) -> list[str]:
    return [what for what, _, _ in party.heard if what != "message"]


@asynccontextmanager
async def dialling(one: PeerParty, other: PeerParty) -> AsyncIterator[None]:
    """Dial once more although there may be a link, as both sides do when they start at once."""
    task = asyncio.create_task(one.links._dial(other.kid))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def test_both_may_dial_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "SECOND_DIALS_AFTER_S", 0.0)

    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            one.links.send(two.kid, message("there"))
            two.links.send(one.kid, message("back"))
            await soon(
                lambda: (
                    one.links.status()[0].dialled != two.links.status()[0].dialled
                    and one.has_link(two)
                    and two.has_link(one)
                ),
                "both mean the same one",
            )
            one.links.send(two.kid, message("end"))
            await soon(lambda: message("end") in two.messages_of(one), "it carries")

    run_story(tmp_path, story)


def test_a_wrong_certificate_is_refused_on_both_sides(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two, liar = parties
        async with one.running(two), two.running(one):
            # The liar shows a key of its own under the kid of member two.
            liar.files, _ = liar.new_certificate("forged", two.kid)
            liar.kid = two.kid
            async with liar.running(one, listens=False):
                liar.knows(one)
                one.knows(two)
                await soon(lambda: liar.links.status()[0].error, "the liar is refused")
                assert not liar.has_link(one)
            # And who listens under another's card is not believed either.
            three = PARTIES[3]
            assert one.book.card(three.kid) is None
        assert not [kid for what, kid, _ in one.heard if what == "up" and kid != two.kid]

    run_story(tmp_path, story, 3)


def test_a_right_certificate_under_another_kid_is_refused(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two, liar = parties
        async with one.running(two, liar):
            one.book.take(liar.card(1))
            one.book.take(two.card(1))
            one.links.set_members(frozenset({one.kid, two.kid, liar.kid}))
            liar_kid, liar.kid = liar.kid, two.kid  # its own certificate, another's name
            async with liar.running(one, listens=False):
                liar.knows(one)
                await soon(lambda: one.links.strangers, "it is refused")
                await soon(
                    lambda: "does not show the certificate" in _error(liar, one), "and is told"
                )
            assert not [what for what, kid, _ in one.heard if kid in (two.kid, liar_kid)]

    run_story(tmp_path, story, 3)


def _error(party: PeerParty, other: PeerParty) -> str:
    return next(s.error for s in party.links.status() if s.kid == other.kid.hex())


def test_a_member_that_left_loses_its_link_and_gets_no_new_one(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two), "a link")
            one.links.set_members(frozenset({one.kid}))
            await soon(lambda: not one.has_link(two), "it is gone")
            await soon(lambda: _error(two, one), "the other cannot come back")
            one.links.set_members(frozenset({one.kid, two.kid}))
            await soon(lambda: one.has_link(two), "until it is a member again")

    run_story(tmp_path, story)


def test_a_new_card_moves_the_link_to_the_new_certificate(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        old_files = two.files
        async with one.running(two):
            async with two.running(one):
                meet(one, two)
                await soon(lambda: one.has_link(two), "a link")
                new_files, new = two.new_certificate("new")
                port = two.links.port
                one.knows(two, two.card(port, certificate=new))
                await soon(lambda: not two.has_link(one), "the old certificate is out")
                # The old key is of no use any more, from either side.
                await soon(lambda: _error(one, two), "nor is it believed when dialled")
                assert not one.has_link(two)
            two.files = new_files
            async with two.running(one, port=port):
                await soon(lambda: one.has_link(two) and two.has_link(one), "a link again")
            two.files = old_files

    run_story(tmp_path, story)


def test_a_killed_gateway_is_linked_again(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two):
            async with two.running(one):
                meet(one, two)
                port = two.links.port
                await soon(lambda: one.has_link(two), "a link")
            await soon(lambda: ("down", two.kid, b"") in one.heard, "it is lost")
            assert not one.links.send(two.kid, message("lost"))
            async with two.running(one, port=port):
                await soon(lambda: one.has_link(two) and two.has_link(one), "it is back")
                assert one.links.send(two.kid, message("again"))
                await soon(lambda: message("again") in two.messages_of(one), "it carries")

    run_story(tmp_path, story)


def test_a_half_open_link_is_replaced_by_the_one_who_lost_it(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            # One's side loses the connection and nothing of that reaches two.
            held, stale = one.links._links[two.kid], two.links._links[one.kid]
            stale._socket.transport.pause_reading()
            held.cut("lost")
            await soon(lambda: one.has_link(two) and held.ended.is_set(), "a new link")
            await soon(lambda: stale.ended.is_set() and two.has_link(one), "there too")
            assert one.links.send(two.kid, message("over the new one"))
            await soon(lambda: message("over the new one") in two.messages_of(one), "it carries")

    run_story(tmp_path, story)


def test_a_slow_reader_is_cut_off_and_memory_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "SEND_BYTES_MAX", 1 << 20)

    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            two.gate.clear()
            most = 0
            sent = 0
            while one.links.send(two.kid, message(bytes(50_000))):
                sent += 1
                most = max(most, one.links.status()[0].queued_bytes)
                await asyncio.sleep(0)
                assert sent < 5_000, "sockets cannot hold that much"
            assert most <= 1 << 20
            await soon(lambda: ("down", two.kid, b"") in one.heard, "the link is cut")
            two.gate.set()
            await soon(lambda: one.has_link(two) and two.has_link(one), "and made anew")

    run_story(tmp_path, story)


def test_faults_end_the_link_and_repeated_ones_keep_a_peer_off(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties

        def judge(kid: bytes, raw: bytes) -> None:
            if raw == message("garbage"):
                one.links.fault(kid, "garbage")

        one.on_message = judge
        async with one.running(two), two.running(one):
            meet(one, two)
            for number in range(standing.FAULTS_MAX):
                await soon(lambda: two.has_link(one) and one.has_link(two), "a link")
                two.links.send(one.kid, message("garbage"))
                await soon(
                    lambda count=number: one.links.status()[0].faults > count, "it is counted"
                )
            await soon(lambda: not one.has_link(two), "it is out")
            status = one.links.status()[0]
            assert status.faults == standing.FAULTS_MAX
            assert standing.KEPT_OFF_S - 60 < status.kept_off_s <= standing.KEPT_OFF_S
            await soon(lambda: "kept off" in _error(two, one), "and is told so")
            assert not two.has_link(one)

    run_story(tmp_path, story)


def test_text_instead_of_a_message_is_a_fault(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: two.has_link(one) and one.has_link(two), "a link")
            await two.links._links[one.kid]._socket.send("text")
            await soon(lambda: one.links.status()[0].faults == 1, "a fault")

    run_story(tmp_path, story)


def test_what_a_link_costs_is_counted_at_the_socket(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            before = one.links.status()[0].sent_bytes
            one.links.send(two.kid, message(bytes(100_000)))
            await soon(lambda: two.messages_of(one), "it arrives")
            await soon(lambda: one.links.status()[0].sent_bytes - before > 100_000, "counted")
            status = one.links.status()[0]
            # TLS records of 16 KiB and a frame's head add less than a percent.
            assert status.sent_bytes - before < 101_000
            received = two.links.status()[0].received_bytes
            assert abs(received - status.sent_bytes) < 1_000

    run_story(tmp_path, story)


def test_a_peer_that_answers_no_ping_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(link_module, "PONG_WITHIN_S", 0.2)

    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            held = one.links._links[two.kid]
            two.links._links[one.kid]._socket.transport.pause_reading()  # it hears nothing more
            await soon(held.ended.is_set, "it is given up")
            assert "ping timeout" in held.reason
            await soon(lambda: one.has_link(two), "and a new link is made")

    run_story(tmp_path, story)


def test_a_flood_of_messages_is_read_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MESSAGES_A_SECOND", 50.0)
    monkeypatch.setattr(link_module, "MESSAGES_BURST", 10)

    async def story(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            began_s = asyncio.get_running_loop().time()
            for number in range(40):
                assert two.links.send(one.kid, message(f"{number}"))
            await soon(lambda: len(one.messages_of(two)) == 40, "all are read")
            assert asyncio.get_running_loop().time() - began_s >= (40 - 10 - 1) / 50.0
            assert one.messages_of(two) == [message(f"{number}") for number in range(40)]

    run_story(tmp_path, story)
