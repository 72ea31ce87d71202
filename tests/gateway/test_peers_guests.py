"""Guests: gateways that come by a token because nobody has their card yet."""

from pathlib import Path

from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.peer_party import PeerParty, meet, message, run_story, soon


def _error(party: PeerParty, other: PeerParty) -> str:
    return next(s.error for s in party.links.status() if s.kid == other.kid.hex())


def test_a_guest_comes_with_a_token_once_given_and_nobody_else_by_it(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, guest, thief = parties
        token = b"t" * 32
        async with one.running():
            one.guests.invite(token, CREATED_MS + 1000, CREATED_MS)
            guest.token = thief.token = token
            async with guest.running(one, listens=False):
                guest.knows(one)
                await soon(lambda: guest.has_link(one) and one.has_link(guest), "a guest")
                assert one.links.status()[0].guest
                assert one.guest_links[guest.kid]
                assert not guest.guest_links[one.kid]  # a guest's host is none
                one.links.send(guest.kid, message("welcome"))
                await soon(lambda: guest.messages_of(one), "it is served")
            async with thief.running(one, listens=False):
                thief.knows(one)
                await soon(lambda: "used by another" in _error(thief, one), "no second one")
            thief.token = b"x" * 32
            async with thief.running(one, listens=False):
                await soon(lambda: "none of ours" in _error(thief, one), "no guess")
            one.now_ms = CREATED_MS + 1000
            async with guest.running(one, listens=False):
                await soon(lambda: "expired" in _error(guest, one), "its time is over")

    run_story(tmp_path, story, 3)


def test_nobody_claims_a_members_kid_by_a_fresh_token(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, two, liar = parties
        async with one.running(two), two.running(one):
            meet(one, two)
            await soon(lambda: one.has_link(two), "a link")
            one.guests.invite(b"t" * 32, CREATED_MS + 1000, CREATED_MS)
            liar.kid, liar.token = two.kid, b"t" * 32
            async with liar.running(one, listens=False):
                liar.knows(one)
                await soon(lambda: "used by another" in _error(liar, one), "refused")
            assert one.has_link(two)
            assert ("down", two.kid, b"") not in one.heard

    run_story(tmp_path, story, 3)


def test_a_guest_that_became_a_member_comes_again_with_its_certificate(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, joiner = parties
        async with one.running():
            one.guests.invite(b"t" * 32, CREATED_MS + 1000, CREATED_MS)
            joiner.token = b"t" * 32
            async with joiner.running(one, listens=False):
                joiner.knows(one)
                await soon(lambda: one.has_link(joiner), "a guest")
                one.book.take(joiner.card(1))
                both = frozenset({one.kid, joiner.kid})
                one.links.set_members(both)
                # It has yet to hear that it is one, and is let in as the guest it was.
                joiner.links.dismiss_all("again")
                await soon(lambda: ("down", joiner.kid, b"") in one.heard, "it went")
                await soon(lambda: one.has_link(joiner), "and came")
                assert one.links.status()[0].guest
                joiner.links.set_members(both)
                await soon(
                    lambda: one.has_link(joiner) and not one.links.status()[0].guest, "a member"
                )

    run_story(tmp_path, story)


def test_a_gateway_that_is_short_sends_its_guests_away_until_it_is_well(tmp_path: Path) -> None:
    async def story(parties: list[PeerParty]) -> None:
        one, guest = parties
        async with one.running():
            one.guests.invite(b"t" * 32, CREATED_MS + 1000, CREATED_MS)
            guest.token = b"t" * 32
            async with guest.running(one, listens=False):
                guest.knows(one)
                await soon(lambda: one.has_link(guest), "a guest")
                one.links.take_guests(False)
                await soon(lambda: not one.has_link(guest), "it is sent away")
                await soon(lambda: "takes no guests" in _error(guest, one), "and not let in")
                one.links.take_guests(True)
                await soon(lambda: one.has_link(guest), "it is back")

    run_story(tmp_path, story)
