"""Changing home and further gateways of an enrolled meter, by names that operators use."""

from collections.abc import Callable
from dataclasses import asdict

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.admin.member_names import further_gateways, member_named
from wattle_gateway.admin.signatory import NO_VOTE, Signatory
from wattle_gateway.contracts import registry, transactions, waiting
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.move_body import Move
from wattle_gateway.reports import alliance as alliance_report
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread


class MeterMoves:
    """The handler `move` of the admin channel."""

    def __init__(
        self, signatory: Signatory, ledger: LedgerThread, now_ms: Callable[[], int]
    ) -> None:
        self._signatory = signatory
        self._ledger = ledger
        self._now_ms = now_ms

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"move": self._move}

    async def _move(self, request: Answer) -> Answer:
        """`meter` id; `home` name or kid, null: this gateway's member; `further` names or kids,
        null: as they are.

        What waits already is not sent twice.
        """
        kid, home, further = _read(request)
        body = await self._ledger.read(lambda driver: _body(driver, kid, home, further))
        now_ms = self._now_ms()
        waits = await self._ledger.read(lambda driver: _waits(driver, body, now_ms))
        if waits is None:
            await self._signatory.commit(transaction.MOVE, body.row())
            waits = await self._ledger.read(lambda driver: _waits(driver, body, now_ms))
        epoch = await self._ledger.read(lambda driver: driver.epoch)
        return {
            "meter": topics.meter_id(body.meter),
            "home": _who(epoch, body.home),
            "further": [_who(epoch, one) for one in body.further],
            "waits": waits,
        }


def _read(request: Answer) -> tuple[bytes, str | None, tuple[str, ...] | None]:
    """Kid of the meter, and the words for its gateways."""
    try:
        kid = topics.kid_of_meter(request["meter"])
        home, further = request["home"], request["further"]
    except (KeyError, TypeError, WireError) as error:
        raise UsageError(f"move: {error}") from error
    if not (home is None or isinstance(home, str)):
        raise UsageError("move: home, expected a member's name or kid")
    if further is None:
        return kid, home, None
    if not isinstance(further, list) or len(further) > transaction.FURTHER_MAX:
        raise UsageError(f"a meter has at most {transaction.FURTHER_MAX} further gateways")
    if not all(isinstance(word, str) for word in further):
        raise UsageError("move: further gateways, expected names or kids of members")
    return kid, home, tuple(further)


def _body(
    driver: LedgerDriver, kid: bytes, home: str | None, further: tuple[str, ...] | None
) -> Move:
    """What this gateway may send; UsageError tells why not, before the ledger refuses it with a
    code alone. In the ledger's thread."""
    epoch = driver.epoch
    if driver.author is None:
        raise UsageError(NO_VOTE)
    if transaction.MOVE not in transactions.ROLES[epoch.rules]:
        raise UsageError(
            f"rules {epoch.rules} are in force, by which a meter keeps its gateways; newer ones "
            "come by `wattle-gateway alliance upgrade`"
        )
    meter = registry.meter(driver.state, kid)
    if meter is None:
        raise UsageError(f"meter {kid.hex()} is not enrolled")
    if meter.revoked is not None:
        raise UsageError(f"meter {kid.hex()} is revoked")
    to = driver.kid if home is None else member_named(home, epoch).kid
    _check_sender(meter, to, driver.kid, epoch)
    if further is None:
        kept = (one for one in meter.further if one != to and epoch.party_of(one) is not None)
        others = tuple(kept)
    else:
        others = further_gateways(further, to, epoch)
    if (to, others) == (meter.home, meter.further):
        raise UsageError(f"meter {kid.hex()} has this home and these further gateways")
    return Move(kid, to, others)


def _check_sender(meter: Meter, to: bytes, own: bytes, epoch: Epoch) -> None:
    member = epoch.party_of(to)
    assert member is not None
    if not member.votes:
        raise UsageError(f"{member.name!r} has no vote, expected a home that has one")
    if epoch.author_of(meter.home) is None:
        if to != own:
            raise UsageError(
                f"the home of meter {meter.kid.hex()} has no vote any more: its new home sends "
                f"this, so say it at the gateway of {member.name!r}"
            )
    elif meter.home != own:
        present = epoch.party_of(meter.home)
        assert present is not None
        raise UsageError(
            f"the home of meter {meter.kid.hex()} is {present.name!r} ({meter.home.hex()}), "
            "whose operator says this"
        )


def _waits(driver: LedgerDriver, body: Move, now_ms: int) -> Answer | None:
    """Our very move that waits for somebody's yes, None if none does."""
    for found in waiting.everything(driver.state):
        ours = (found.kind, found.origin) == (transaction.MOVE, driver.kid)
        if ours and found.until_ms >= now_ms and found.body == body.row():
            line = alliance_report.waiting_line(driver.state, found, driver.epoch)
            asked = [asdict(one) for one in line.approvers]
            return {"digest": line.digest, "until_ms": line.until_ms, "approvers": asked}
    return None


def _who(epoch: Epoch, kid: bytes) -> dict[str, str]:
    return asdict(alliance_report.who(epoch, kid))
