"""Whom the fetcher asks for what, and when: on a shelf that lacks what a test says."""

from dataclasses import replace

import pytest
from wattle_gateway.ledger.block import Block, BlockRef, CommitVote
from wattle_gateway.sync import fetching
from wattle_gateway.sync.fetching import FETCH_AGAIN_MS, FETCH_TIMEOUT_MS, Fetcher
from wattle_gateway.sync.framing import ANSWER_BYTES
from wattle_gateway.sync.messages import FETCH_REFS_MAX, Blocks, Fetch, Holdings
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.peer import Links, Peer
from wattle_gateway.sync.reader import parse
from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.lacking_shelf import LackingShelf

NAMES = "abcde"
EPOCH = epoch_of(*(Party(name) for name in NAMES))
OWN = 4


class Scene:
    """A fetcher of member OWN with links to the authors named."""

    def __init__(self, *linked: int) -> None:
        self.shelf = LackingShelf(EPOCH)
        self.links = Links(EPOCH, EPOCH.members[OWN].kid)
        self.fetcher = Fetcher(self.links, self.shelf)
        for author in linked:
            self.links.add(EPOCH.members[author].kid, guest=False)

    def peer(self, author: int) -> Peer:
        """The linked peer."""
        found = self.links.get(EPOCH.members[author].kid)
        assert found is not None
        return found

    def plan(self, steady_ms: int, *, far_behind: bool = False) -> list[tuple[int, Fetch]]:
        """Whom it asks, and for what."""
        return [_asked(made) for made in self.fetcher.plan(steady_ms, far_behind=far_behind)]


def _asked(parcel: Parcel) -> tuple[int, Fetch]:
    message = parse(parcel.raw)
    assert isinstance(message, Fetch)
    author = EPOCH.author_of(parcel.to)
    assert author is not None
    return author, message


def _ref(round_number: int, author: int = 0) -> BlockRef:
    return BlockRef(round_number, author, bytes([round_number, author]) * 16)


def _naming(author: int, *refs: BlockRef) -> Block:
    """A block with these parents; nobody looks at the rest."""
    zero = CommitVote(0, bytes(32))
    return Block(
        0, author, 9, 0, refs, zero, None, EPOCH.members[author].kid, bytes(32), b"", b"header"
    )


def _whom(plan: list[tuple[int, Fetch]]) -> list[int]:
    return [author for author, _fetch in plan]


def test_nothing_is_asked_while_nothing_is_missing() -> None:
    scene = Scene(0, 1, 2)
    assert scene.plan(0) == []
    assert scene.fetcher.next_tick_ms is None


def test_the_sender_is_asked_first_then_who_names_it_then_its_author_then_anybody() -> None:
    scene = Scene(0, 1, 2, 3)
    ref = _ref(5, author=3)
    scene.shelf.lacks[ref] = frozenset({2})
    scene.fetcher.named_by(_naming(2, ref), EPOCH.members[1].kid)
    asked = []
    for cycle in range(4):
        asked += _whom(scene.plan(cycle * FETCH_TIMEOUT_MS))
    assert asked == [1, 2, 3, 0]
    # All have been asked in vain: a pause, then the next cycle begins at the front.
    end_ms = 4 * FETCH_TIMEOUT_MS
    assert scene.plan(end_ms) == []
    assert scene.fetcher.next_tick_ms == end_ms + FETCH_AGAIN_MS
    assert scene.plan(end_ms + FETCH_AGAIN_MS - 1) == []
    assert _whom(scene.plan(end_ms + FETCH_AGAIN_MS)) == [1]


def test_a_link_that_comes_up_ends_the_pause() -> None:
    scene = Scene(0)
    scene.shelf.lacks[_ref(5)] = frozenset({0})
    scene.plan(0)
    assert scene.plan(FETCH_TIMEOUT_MS) == []
    scene.links.add(EPOCH.members[2].kid, guest=False)
    scene.fetcher.somebody_new()
    assert _whom(scene.plan(FETCH_TIMEOUT_MS + 1)) == [0]


def test_an_answer_without_the_block_leads_to_the_next_holder_at_once() -> None:
    scene = Scene(0, 1)
    scene.shelf.lacks[_ref(5)] = frozenset({0, 1})
    [(author, fetch)] = scene.plan(0)
    assert author == 0
    scene.fetcher.answered(scene.peer(0), Blocks(fetch.id, ()))
    assert _whom(scene.plan(1)) == [1]


def test_who_has_ended_the_epoch_is_asked_for_all_above_the_newest_commit() -> None:
    scene = Scene(0, 1)
    scene.shelf.rounds, scene.shelf.rounds_at_close = (7,) * len(NAMES), (3,) * len(NAMES)
    scene.peer(0).claim = Holdings(0, (8,) * len(NAMES), 0)
    [(author, fetch)] = scene.plan(0)
    assert (author, fetch.rounds) == (0, (7,) * len(NAMES))
    scene.fetcher.answered(scene.peer(0), Blocks(fetch.id, ()))
    scene.peer(1).claim = Holdings(1, (0,), 0)
    [(author, fetch)] = scene.plan(1)
    assert (author, fetch.epoch, fetch.rounds) == (1, 0, (3,) * len(NAMES))


def test_a_link_that_goes_down_takes_its_requests_along() -> None:
    scene = Scene(0, 1)
    scene.shelf.lacks[_ref(5)] = frozenset({0, 1})
    assert _whom(scene.plan(0)) == [0]
    peer = scene.links.remove(EPOCH.members[0].kid)
    assert peer is not None
    scene.fetcher.gone(peer)
    assert _whom(scene.plan(1)) == [1]


def test_no_more_than_so_many_requests_of_so_many_references_are_out_lowest_rounds_first() -> None:
    scene = Scene(0)
    refs = [_ref(number) for number in range(1, 251)]
    scene.shelf.lacks = dict.fromkeys(reversed(refs), frozenset({0}))
    plan = scene.plan(0)
    assert len(plan) == fetching.FETCHES_PER_PEER_MAX
    wanted = [ref for _author, fetch in plan for ref in fetch.refs]
    assert wanted == refs[: fetching.FETCHES_PER_PEER_MAX * FETCH_REFS_MAX]
    assert scene.plan(1) == []
    scene.fetcher.answered(scene.peer(0), Blocks(plan[0][1].id, ()))
    scene.shelf.held.update(plan[0][1].refs)
    [(_author, sixth)] = scene.plan(2)
    assert sixth.refs == tuple(refs[160:192])


def test_who_is_busy_is_passed_over() -> None:
    scene = Scene(0, 1)
    refs = [_ref(number) for number in range(1, 201)]
    scene.shelf.lacks = dict.fromkeys(refs, frozenset({0}))
    assert sorted(_whom(scene.plan(0))) == [0] * 5 + [1] * 2


def test_guests_are_never_asked() -> None:
    scene = Scene()
    scene.links.add(EPOCH.members[0].kid, guest=True)
    scene.shelf.lacks[_ref(5)] = frozenset({0})
    assert scene.plan(0) == []


def test_while_far_behind_nothing_is_fetched_by_name() -> None:
    scene = Scene(0)
    scene.shelf.lacks[_ref(5)] = frozenset({0})
    assert scene.plan(0, far_behind=True) == []
    assert scene.fetcher.next_tick_ms is None
    assert _whom(scene.plan(1)) == [0]


def test_one_request_at_a_time_says_what_is_held() -> None:
    scene = Scene(0, 1)
    refs = [_ref(number, author) for number in range(1, 30) for author in (0, 1)]
    scene.shelf.lacks = {ref: frozenset({ref.author}) for ref in refs}
    plan = scene.plan(0)
    assert [bool(fetch.rounds) for _author, fetch in plan] == [True] + [False] * (len(plan) - 1)
    first_author, first = plan[0]
    scene.shelf.lacks[_ref(40)] = frozenset({1})
    assert not any(fetch.rounds for _author, fetch in scene.plan(1))
    scene.fetcher.answered(scene.peer(first_author), Blocks(first.id, ()))
    scene.shelf.lacks[_ref(41)] = frozenset({1})
    assert any(fetch.rounds for _author, fetch in scene.plan(2))


def _claiming(scene: Scene, author: int, claim: Holdings) -> None:
    peer = scene.peer(author)
    peer.claim = claim
    peer.dry = False


AHEAD = Holdings(0, (0, 3, 0, 0, 0), 0)
FULL = (PackedBlock(b"header", (bytes(ANSWER_BYTES),)),)


def test_a_peer_that_says_it_holds_more_is_asked_until_an_answer_is_not_full() -> None:
    scene = Scene(0, 1)
    _claiming(scene, 1, AHEAD)
    [(author, fetch)] = scene.plan(0)
    assert (author, fetch.refs, fetch.rounds) == (1, (), (0, 0, 0, 0, 0))
    assert scene.plan(1) == []
    scene.fetcher.answered(scene.peer(1), Blocks(fetch.id, FULL))
    [(author, fetch)] = scene.plan(2)
    assert author == 1
    scene.fetcher.answered(scene.peer(1), Blocks(fetch.id, ()))
    assert scene.plan(3) == []
    _claiming(scene, 1, AHEAD)
    assert _whom(scene.plan(4)) == [1]


def test_what_a_peer_is_ahead_by_keeps_within_its_requests() -> None:
    scene = Scene(0)
    _claiming(scene, 0, Holdings(0, (9, 0, 0, 0, 0), 0))
    scene.shelf.lacks = {_ref(number): frozenset({0}) for number in range(1, 251)}
    assert len(scene.plan(0)) == fetching.FETCHES_PER_PEER_MAX


@pytest.mark.parametrize(
    ("claim", "asked"),
    [
        (Holdings(0, (1, 1, 1, 1, 1), 9), False),
        (Holdings(0, (2, 1, 1, 1, 1), 9), True),
        (Holdings(1, (), 9), True),
    ],
    ids=["as far", "further", "in the next epoch"],
)
def test_only_who_claims_more_is_asked_for_more(claim: Holdings, asked: bool) -> None:
    scene = Scene(0)
    scene.shelf.rounds = (1,) * 5
    _claiming(scene, 0, claim)
    assert bool(scene.plan(0)) == asked


def test_an_answer_counts_once_and_a_late_one_counts() -> None:
    scene = Scene(0)
    scene.shelf.lacks[_ref(5)] = frozenset({0})
    [(_author, fetch)] = scene.plan(0)
    scene.plan(FETCH_TIMEOUT_MS)
    peer, answer = scene.peer(0), Blocks(fetch.id, ())
    late = scene.fetcher.answered(peer, answer)
    assert late is not None
    assert late.refs == (_ref(5),)
    assert scene.fetcher.answered(peer, answer) is None
    assert scene.fetcher.answered(peer, replace(answer, id=99)) is None


def test_no_more_than_so_many_late_answers_are_waited_for() -> None:
    scene = Scene(0)
    for number in range(1, fetching.LATE_MAX + 4):
        scene.shelf.lacks = {_ref(number): frozenset({0})}
        scene.plan(number * FETCH_TIMEOUT_MS)
        assert len(scene.peer(0).late) <= fetching.LATE_MAX
    assert len(scene.peer(0).late) == fetching.LATE_MAX


def test_what_no_block_names_is_fetched_from_who_told_of_it() -> None:
    scene = Scene(0, 1, 2)
    ref = _ref(9, author=OWN)
    scene.fetcher.want(ref, EPOCH.members[2].kid)
    [(author, fetch)] = scene.plan(0)
    assert (author, fetch.refs) == (2, (ref,))
    scene.shelf.held.add(ref)
    scene.fetcher.answered(scene.peer(2), Blocks(fetch.id, ()))
    assert scene.plan(FETCH_TIMEOUT_MS) == []


def test_a_flood_of_names_is_worked_on_in_part() -> None:
    scene = Scene(0)
    flood = [_ref(1, 0)] + [
        BlockRef(number, 0, number.to_bytes(32, "big")) for number in range(2, 5000)
    ]
    scene.fetcher.named_by(_naming(0, *flood), EPOCH.members[0].kid)
    scene.shelf.lacks = dict.fromkeys(flood, frozenset({0}))
    scene.plan(0)
    assert len(scene.fetcher._wanted) <= fetching.WANTED_MAX


def test_a_new_epoch_forgets_the_requests_of_the_old() -> None:
    scene = Scene(0)
    scene.shelf.lacks[_ref(5)] = frozenset({0})
    [(_author, fetch)] = scene.plan(0)
    scene.fetcher.new_epoch()
    assert scene.fetcher.answered(scene.peer(0), Blocks(fetch.id, ())) is None
    scene.shelf.lacks.clear()
    assert scene.plan(1) == []
    assert scene.fetcher.next_tick_ms is None
