"""An update on its way: what is sent to a meter, and when."""

import pytest
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import UsageError
from wattle_gateway.ingest import updates
from wattle_gateway.ingest.updates import REPEAT_MS, UpdateOffers
from wattle_testkit.alliance import GRID, Board, epoch_of, private_key
from wattle_testkit.update_sender import signed
from wattle_wire import topics, update

EPOCH = epoch_of()
VERSION = 1_700_000_000_000
BUNDLE = signed(
    EPOCH.ledger_id,
    VERSION,
    "",
    [(update.ALLIANCE, bytes(2_500))],
    [private_key("one"), private_key("two")],
)


def meter(name: str) -> Meter:
    board = Board(name, EPOCH)
    return Meter(
        kid=board.kid,
        eui64=board.eui64,
        signing_key=board.signing_key,
        link_key=board.signing_key,
        tls_key=board.signing_key,
        first_seq=1,
        protection="file",
        site="home",
        home=GRID.kid,
        further=(),
        carry=0,
        points=(board.point(1),),
        revoked=None,
    )


METER = meter("meter")


class Desk:
    """Offers whose messages are kept, under a clock that is set."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.sent: list[bytes] = []
        self.topics: set[str] = set()
        self.offers = UpdateOffers(self.publish, lambda: self.now_ms)

    def publish(self, topic: str, payload: bytes) -> bool:
        self.topics.add(topic)
        self.sent.append(payload)
        return True


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.offers.offer(METER, BUNDLE)
    return desk


def test_an_offer_is_sent_at_once_to_the_meter(desk: Desk) -> None:
    assert desk.sent == [BUNDLE.message()]
    assert desk.topics == {topics.topic("home", topics.meter_id(METER.kid), "cmd")}


def test_each_question_is_answered_with_the_chunk(desk: Desk) -> None:
    for offset in (0, 1_024, 2_048, 1_024):
        desk.offers.heard(METER, (VERSION, update.RECEIVING, offset))
    chunks = BUNDLE.chunks()
    assert desk.sent[1:] == [chunks[0], chunks[1], chunks[2], chunks[1]]


@pytest.mark.parametrize("offset", [1, 1_023, 3_072, 1 << 40])
def test_a_question_for_what_is_no_chunk_is_not_answered(desk: Desk, offset: int) -> None:
    desk.offers.heard(METER, (VERSION, update.RECEIVING, offset))
    assert len(desk.sent) == 1


def test_a_meter_that_has_not_heard_is_told_again(desk: Desk) -> None:
    """As when it was away, or started anew in the middle; but not at each of its states."""
    desk.offers.heard(METER, None)
    desk.offers.heard(METER, (VERSION - 1, update.CONFIRMED, 0))
    assert len(desk.sent) == 1
    desk.now_ms = REPEAT_MS
    desk.offers.heard(METER, (VERSION - 1, update.CONFIRMED, 0))
    assert desk.sent[1:] == [BUNDLE.message()]
    desk.offers.heard(METER, None)
    assert len(desk.sent) == 2


@pytest.mark.parametrize(
    "news",
    [
        (VERSION, update.CONFIRMED, 0),
        (VERSION, update.ROLLED_BACK, 0),
        (VERSION, update.OLDER, 0),
        (0, update.MALFORMED, 0),
    ],
)
def test_what_has_ended_is_offered_no_more(desk: Desk, news: tuple[int, int, int]) -> None:
    desk.offers.heard(METER, news)
    assert desk.offers.news[METER.kid] == news
    desk.now_ms = 10 * REPEAT_MS
    desk.offers.heard(METER, None)
    assert len(desk.sent) == 1


def test_a_trial_is_no_end(desk: Desk) -> None:
    desk.offers.heard(METER, (VERSION, update.TRIAL, 0))
    desk.offers.heard(METER, (VERSION, update.ROLLED_BACK, 0))
    assert desk.offers.news[METER.kid] == (VERSION, update.ROLLED_BACK, 0)


def test_news_of_meters_without_an_offer_are_kept(desk: Desk) -> None:
    other = meter("other")
    desk.offers.heard(other, (5, update.CONFIRMED, 0))
    desk.offers.heard(other, None)
    assert desk.offers.news == {other.kid: (5, update.CONFIRMED, 0)}


def test_offers_are_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "OFFERS_MAX", 1)
    with pytest.raises(UsageError, match="1 updates are on their way"):
        desk.offers.offer(meter("other"), BUNDLE)
    desk.offers.offer(METER, BUNDLE)
    desk.offers.heard(METER, (VERSION, update.CONFIRMED, 0))
    desk.offers.offer(meter("other"), BUNDLE)
