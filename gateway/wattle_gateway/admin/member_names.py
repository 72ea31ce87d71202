"""Members by the words that operators use for them."""

from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Member


def member_named(word: str, epoch: Epoch) -> Member:
    """The member of this name or kid (hex); UsageError unless there is exactly one."""
    found = [member for member in epoch.everyone if word in (member.name, member.kid.hex())]
    if len(found) == 1:
        return found[0]
    if not found:
        names = ", ".join(repr(member.name) for member in epoch.everyone)
        raise UsageError(f"no member {word!r}, expected one of: {names}")
    kids = ", ".join(member.kid.hex() for member in found)
    raise UsageError(f"{len(found)} members are called {word!r}; name one by its kid: {kids}")


def further_gateways(words: tuple[str, ...], home: bytes, epoch: Epoch) -> tuple[bytes, ...]:
    """The kids of a meter's further gateways, named as in `member_named`; UsageError if one is
    named twice or is the home (kid)."""
    kids = [member_named(word, epoch).kid for word in words]
    for place, (word, kid) in enumerate(zip(words, kids, strict=True)):
        if kid == home:
            raise UsageError(f"{word!r} is the meter's home already, expected a further gateway")
        if kid in kids[:place]:
            raise UsageError(f"{word!r} is named twice")
    return tuple(kids)
