"""Links of former members: they follow as guests, and are told apart from strangers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from wattle_gateway.peers.link import Link
from wattle_testkit.peer_party import PARTIES, PeerParty, meet, run_story, soon


def run(folder: Path, story: Callable[[PeerParty, PeerParty], Awaitable[None]]) -> None:
    """A story about two members, each with links to the other."""

    async def of_two(parties: list[PeerParty]) -> None:
        one, two = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two) and two.has_link(one), "a link")
            await story(one, two)

    run_story(folder, of_two)


def told(party: PeerParty) -> list[str]:
    """What the links of a party told of the other one."""
    return [what for what, _, _ in party.heard if what != "message"]


def test_a_former_member_is_a_guest_and_a_member_again(tmp_path: Path) -> None:
    async def story(one: PeerParty, two: PeerParty) -> None:
        assert one.guest_links == {two.kid: False}
        before = len(told(one))
        one.links.set_members(frozenset({one.kid}), frozenset({two.kid}))
        # It has not heard of it yet: it comes by its certificate, as ever.
        await soon(lambda: one.guest_links[two.kid] and one.has_link(two), "a guest's link")
        one.links.set_members(frozenset({one.kid, two.kid}))
        await soon(lambda: not one.guest_links[two.kid] and one.has_link(two), "a member's link")
        await soon(lambda: two.has_link(one), "on both sides")
        assert told(one)[before:] == ["down", "up", "down", "up"]

    run(tmp_path, story)


def test_a_link_is_told_to_be_down_before_the_next_one_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()
    close = Link.close

    async def slowly(link: Link) -> None:
        if link.kid == PARTIES[1].kid:
            await released.wait()
        await close(link)

    async def story(one: PeerParty, two: PeerParty) -> None:
        before, theirs = len(told(one)), len(told(two))
        monkeypatch.setattr(Link, "close", slowly)
        one.links.set_members(frozenset({one.kid}), frozenset({two.kid}))
        await soon(lambda: told(two)[theirs:] == ["down", "up"], "it has come again")
        released.set()
        await soon(lambda: len(told(one)) == before + 2, "both are told")
        assert told(one)[before:] == ["down", "up"]

    run(tmp_path, story)


def test_it_knows_that_it_is_a_guest(tmp_path: Path) -> None:
    async def story(one: PeerParty, two: PeerParty) -> None:
        two.links.set_members(frozenset({one.kid}), frozenset({two.kid}))
        one.links.set_members(frozenset({one.kid}), frozenset({two.kid}))
        await soon(lambda: one.guest_links[two.kid] and one.has_link(two), "a guest's link")
        await soon(lambda: [row.guest for row in two.links.status()] == [True], "it knows")
        # What a guest is told by members, it believes.
        assert two.guest_links == {one.kid: False}

    run(tmp_path, story)


def test_who_never_was_a_member_is_refused(tmp_path: Path) -> None:
    async def story(one: PeerParty, two: PeerParty) -> None:
        one.links.set_members(frozenset({one.kid}))
        await soon(lambda: told(one)[-1] == "down", "the link ends")
        await soon(lambda: two.links.status()[0].error, "it comes again and is refused")
        assert not one.has_link(two)

    run(tmp_path, story)
