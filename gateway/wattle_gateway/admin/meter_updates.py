"""Sending a signed bundle to a meter, and what has become of it."""

import binascii
from collections.abc import Callable, Mapping

from wattle_wire import bundle, cose, topics
from wattle_wire.bundle import Bundle
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import UsageError
from wattle_gateway.ingest.desk import Desk
from wattle_gateway.ingest.updates import UpdateOffers
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.reports import meters


def signed_by_two(epoch: Epoch, made: Bundle) -> Bundle:
    """`made` with the signatures of two members of `epoch`.

    Raises UsageError for another ledger, a signature that fails or is no member's, and for fewer
    than two.
    """
    if made.ledger_id != epoch.ledger_id:
        raise UsageError(
            f"the bundle is for ledger {made.ledger_id.hex()}, not {epoch.ledger_id.hex()}"
        )
    members = {member.kid: member for member in epoch.members}
    for signed in made.signatures:
        member = members.get(signed.kid)
        if member is None:
            raise UsageError(f"the signature by {signed.kid.hex()} is of no member that votes")
        try:
            crypto.verify(member.block_key, signed.digest, signed.signature)
        except LedgerError as error:
            raise UsageError(f"the signature by {member.name}: {error}") from error
    if len(made.signatures) < bundle.SIGNATURES_NEEDED:
        names = ", ".join(members[signed.kid].name for signed in made.signatures) or "nobody"
        raise UsageError(
            f"signed by {names}; expected {bundle.SIGNATURES_NEEDED} members "
            "(`wattle-gateway update sign`)"
        )
    return made


class MeterUpdates:
    """The handlers `update` and `updates` of the admin channel."""

    def __init__(
        self,
        offers: UpdateOffers,
        desk: Desk,
        epoch: Callable[[], Epoch],
        registry: Callable[[], Mapping[bytes, Meter]],
    ) -> None:
        self._offers = offers
        self._desk = desk
        self._epoch = epoch
        self._registry = registry

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"update": self._update, "updates": self._updates}

    async def _update(self, request: Answer) -> Answer:
        """`meter` id; `bundle` hex."""
        try:
            kid = topics.kid_of_meter(request["meter"])
            made = bundle.decode(binascii.unhexlify(request["bundle"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"update: {error}") from error
        meter = self._registry().get(kid)
        if meter is None or meter.revoked is not None:
            raise UsageError(f"meter {request['meter']} is not enrolled")
        signed = signed_by_two(self._epoch(), made)
        self._check_meter(kid, signed)
        self._offers.offer(meter, signed)
        return {"version": signed.update.version, "size": len(signed.stream)}

    async def _updates(self, _request: Answer) -> Answer:
        """What each meter said last about an update: `[version, code, offset]` by its id."""
        return {
            "updates": {topics.meter_id(kid): news for kid, news in self._offers.news.items()},
        }

    def _check_meter(self, kid: bytes, made: Bundle) -> None:
        """What the meter's birth shows to be in vain. It decides for itself."""
        born = meters.birth(self._desk.of(kid))
        running, platform = born.get("version", 0), born.get("platform", "").partition(",")[0]
        wanted = made.update
        if wanted.version <= running:
            raise UsageError(
                f"the bundle has version {wanted.version}, the meter runs {running}; "
                "expected a higher one"
            )
        if born and wanted.board not in ("", platform):
            raise UsageError(f"the bundle is for {wanted.board}, the meter is {platform}")


def read_bundle(data: bytes, source: object) -> Bundle:
    """The bundle in a file's bytes; UsageError names `source` and what is wrong with it."""
    try:
        return bundle.decode(data)
    except WireError as error:
        raise UsageError(f"{source}: not a sound bundle: {error}") from error


def sign_bundle(made: Bundle, kid: bytes, sign: crypto.Sign) -> Bundle:
    """`made` with a signature by the member `kid`, whose block key `sign` is."""
    digest = cose.digest("update", made.ledger_id, kid, made.payload)
    raw = cose.sign1(kid, made.payload, sign(digest))
    return made.with_signature(cose.parse_sign1("update", made.ledger_id, raw))
