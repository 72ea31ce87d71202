"""When commits are asked for, of whom, and when this gateway counts as far behind."""

from wattle_gateway.consensus.engine import Now
from wattle_gateway.ledger import crypto
from wattle_gateway.sync.history import HISTORY_DISTRUST_MS, HISTORY_TIMEOUT_MS, HistoryClient
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.messages import Commits, History, Holdings
from wattle_gateway.sync.peer import BEGINS_AGAIN_MS, Links, Peer
from wattle_gateway.sync.reader import parse
from wattle_gateway.sync.serving import answer_commits
from wattle_testkit.alliance import CREATED_MS, Party, epoch_of
from wattle_testkit.lacking_shelf import LackingShelf
from wattle_testkit.memory_alliance import MemoryAlliance

EPOCH = epoch_of(*(Party(name) for name in "abcd"))
FAR = EPOCH.constants.gc_depth // 2
OWN = 3
NOTHING = History(1, 1)


class Scene:
    """The history client of member OWN; nobody has claimed anything yet."""

    def __init__(self, *linked: int) -> None:
        self.shelf = LackingShelf(EPOCH)
        self.links = Links(EPOCH, EPOCH.members[OWN].kid)
        self.client = HistoryClient(self.links, self.shelf)
        self.intake = Intake(EPOCH, crypto.verify)
        for author in linked:
            self.links.add(EPOCH.members[author].kid, guest=False)

    def peer(self, author: int) -> Peer:
        """A linked member."""
        found = self.links.get(EPOCH.members[author].kid)
        assert found is not None
        return found

    def claim(self, author: int, index: int) -> None:
        """A member says how far it is."""
        self.peer(author).claim = Holdings(0, (0,) * 4, index)

    def plan(self, steady_ms: int) -> list[tuple[int | None, int, int]]:
        """Whom it asks: author, id, first index."""
        asked = []
        for parcel in self.client.plan(steady_ms):
            message = parse(parcel.raw)
            assert isinstance(message, Commits)
            asked.append((EPOCH.author_of(parcel.to), message.id, message.first))
        return asked


def test_commits_are_asked_for_beyond_half_the_depth_of_garbage() -> None:
    scene = Scene(0)
    scene.claim(0, FAR)
    assert scene.plan(0) == []
    scene.claim(0, FAR + 1)
    assert scene.plan(0) == [(0, 1, 1)]
    assert scene.plan(1) == []


def test_who_gives_no_answer_in_time_is_left_alone_for_a_while() -> None:
    scene = Scene(0, 1)
    scene.claim(0, 100)
    scene.claim(1, 100)
    assert scene.plan(0) == [(0, 1, 1)]
    assert scene.client.next_tick_ms == HISTORY_TIMEOUT_MS
    assert scene.plan(HISTORY_TIMEOUT_MS) == [(1, 2, 1)]
    again_ms = HISTORY_TIMEOUT_MS + HISTORY_DISTRUST_MS
    assert scene.plan(2 * HISTORY_TIMEOUT_MS) == []
    assert scene.plan(again_ms) == [(0, 3, 1)]


def test_who_is_refused_is_followed_by_another_at_once() -> None:
    scene = Scene(0, 1)
    scene.claim(0, 100)
    scene.claim(1, 100)
    scene.plan(0)
    scene.client.refuse(EPOCH.members[0].kid, 5)
    assert scene.client.next_tick_ms == 5
    assert scene.plan(5) == [(1, 2, 1)]


def test_who_proves_nothing_more_is_asked_again_after_its_next_claim_only() -> None:
    alliance = MemoryAlliance(*"abcd")
    gateway, kid = alliance["d"], alliance.parties["a"].kid
    claim = Holdings(0, (0,) * 4, 100).encode()
    gateway.sync.connected(kid, 0)
    [request] = [
        message
        for parcel in gateway.sync.receive(kid, claim, 1).parcels
        if isinstance(message := parse(parcel.raw), Commits)
    ]
    empty = History(request.id, request.first).encode()
    kinds = [type(parse(parcel.raw)) for parcel in gateway.sync.receive(kid, empty, 2).parcels]
    assert Commits not in kinds
    kinds = [type(parse(parcel.raw)) for parcel in gateway.sync.receive(kid, claim, 3).parcels]
    assert Commits in kinds


def test_an_answer_that_was_not_asked_for_is_no_answer() -> None:
    scene = Scene(0, 1)
    scene.claim(0, 100)
    scene.plan(0)
    for author, answer in ((1, History(1, 1)), (0, History(2, 1)), (0, History(1, 2))):
        assert scene.client.answered(scene.peer(author), answer, scene.intake, 0) == ()
    assert not scene.peer(0).proves_no_more
    assert scene.client.answered(scene.peer(0), NOTHING, scene.intake, 0) == ()
    assert scene.peer(0).proves_no_more


def test_f_liars_do_not_make_us_far_behind() -> None:
    scene = Scene(0, 1, 2)
    for author in (0, 1, 2):
        scene.claim(author, 0)
    scene.claim(0, 1 << 50)
    assert not scene.client.far_behind(0)
    scene.claim(1, 100)
    assert scene.client.far_behind(0)
    scene.peer(1).proves_no_more = True
    assert not scene.client.far_behind(0)


def test_who_has_one_source_goes_by_it() -> None:
    scene = Scene(2)
    scene.claim(2, 100)
    assert scene.client.far_behind(0)


def test_claims_of_members_without_a_vote_do_not_outweigh_those_with_one() -> None:
    scene = Scene(0)
    scene.links.add(b"observer", guest=False)
    observer = scene.links.get(b"observer")
    assert observer is not None
    observer.claim = Holdings(0, (0,) * 4, 100)
    assert scene.client.far_behind(0)
    scene.claim(0, 0)
    assert not scene.client.far_behind(0)


def _history_of(alliance: MemoryAlliance) -> History:
    """What "a" would answer to somebody who has nothing."""
    kid = alliance.parties["b"].kid
    [parcel] = alliance["a"].sync.receive(kid, Commits(1, 1).encode(), alliance.steady_ms).parcels
    said = parse(parcel.raw)
    assert isinstance(said, History)
    return said


def test_commits_that_were_decided_meanwhile_are_skipped_and_none_is_asked_for_twice() -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    while alliance["a"].shelf.head.index < 50:
        alliance.propose("a", b"\x82\x02an entry that hurries")
        alliance.run(500)
    late = MemoryAlliance(*"abcd")["d"]
    kid = alliance.parties["a"].kid
    late.connected(kid, 0)
    late.receive(kid, Holdings(0, (9,) * 4, 50).encode(), 1)
    said = _history_of(alliance)
    # By the time of the answer the first ten have come as blocks.
    for commit in said.commits[:12]:
        for packed in commit.blocks:
            header = late.sync._intake.header(packed.header)
            late._obey(
                late.engine.accept([late.sync._intake.check(header, packed)], Now(CREATED_MS, 2)), 2
            )
    decided = late.shelf.head.index
    assert 5 < decided < 12
    sent = [parse(parcel.raw) for parcel in late.receive(kid, said.encode(), 3)]
    assert late.heard.faults == ()
    assert [proved.index for proved in late.heard.history][:1] == [decided + 1]
    assert late.shelf.head.index == len(said.commits)
    assert not [message for message in sent if isinstance(message, Commits)]


def test_who_begins_later_is_asked_no_more_before_we_are_there() -> None:
    """Nobody is asked for the same commits for ever: another peer is, and none means a snapshot."""
    scene = Scene(0, 1)
    for author in (0, 1):
        scene.claim(author, 1000)
    assert scene.plan(0) == [(0, 1, 1)]
    assert scene.client.answered(scene.peer(0), History(1, 1, begins=501), scene.intake, 0) == ()
    scene.claim(0, 1001)
    assert scene.plan(1) == [(1, 2, 1)]
    assert scene.client.begins_too_late() is None
    assert scene.client.answered(scene.peer(1), History(2, 1, begins=301), scene.intake, 1) == ()
    assert scene.plan(2) == []
    assert not scene.client.far_behind(2)
    assert scene.client.begins_too_late() == 301
    scene.shelf.index = 300
    assert scene.plan(3) == [(1, 3, 301)]
    assert scene.client.begins_too_late() is None


def test_who_begins_later_is_asked_again_after_a_minute() -> None:
    """Its archive may be back."""
    scene = Scene(0)
    scene.claim(0, 1000)
    assert scene.plan(0) == [(0, 1, 1)]
    scene.client.answered(scene.peer(0), History(1, 1, begins=501), scene.intake, 5)
    assert scene.plan(4 + BEGINS_AGAIN_MS) == []
    assert scene.client.begins_too_late() == 501
    assert scene.plan(5 + BEGINS_AGAIN_MS) == [(0, 2, 1)]
    scene.client.answered(scene.peer(0), History(2, 1), scene.intake, 6 + BEGINS_AGAIN_MS)
    assert scene.client.begins_too_late() is None


def test_a_shelf_that_begins_later_says_so() -> None:
    shelf = LackingShelf(EPOCH, begins=9)
    intake = Intake(EPOCH, crypto.verify)
    assert answer_commits(shelf, Commits(4, 8), intake) == History(4, 8, begins=9)
    assert answer_commits(shelf, Commits(4, 9), intake) == History(4, 9)
