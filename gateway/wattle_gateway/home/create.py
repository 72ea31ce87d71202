"""New gateways: one alone with its own ledger, several that found one together, one that joins."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wattle_gateway.errors import HomeError
from wattle_gateway.home import durable_file
from wattle_gateway.home.draft import Draft, NewGateway
from wattle_gateway.home.invitation import Invitation
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.genesis import RULES, Constants


def create(
    folder: Path,
    choice: NewGateway,
    created_ms: int,
    constants: Constants | None = None,
    rules: int = RULES,
) -> GatewayHome:
    """A gateway that founds a ledger of its own name with itself as the only member.

    `created_ms`: genesis time (Unix ms) that no block may stand before. Raises HomeError if the
    folder exists and is not empty, LedgerError or ConfigError for a choice that is not allowed.
    """
    (made,) = create_alliance(choice.name, [(folder, choice)], created_ms, constants, rules)
    return made


def create_alliance(
    name: str,
    gateways: Sequence[tuple[Path, NewGateway]],
    created_ms: int,
    constants: Constants | None = None,
    rules: int = RULES,
) -> list[GatewayHome]:
    """Gateways on this machine that found the ledger `name` together; all know all.

    For benches and tests, and for whoever owns all of them: nobody else should ever hold the
    keys of two members. Raises as `create`.
    """
    drafts = [Draft(folder, choice) for folder, choice in gateways]
    with _made(drafts):
        members = tuple(draft.furnish() for draft in drafts)
        first = genesis.create(name, created_ms, members, constants, rules)
        cards = [draft.settle(first, created_ms) for draft in drafts]
        return [draft.publish(first.members, cards) for draft in drafts]


def create_joining(
    folder: Path, invitation: Invitation, choice: NewGateway, now_ms: int
) -> GatewayHome:
    """A gateway that follows the ledger it is invited to and may become a member of it.

    Raises as `create`.
    """
    draft = Draft(folder, choice)
    with _made([draft]):
        draft.furnish()
        draft.settle(invitation.genesis, now_ms)
        durable_file.write(draft.home.invitation, invitation.raw, mode=0o600)
        return draft.publish(invitation.genesis.members, invitation.cards)


@contextmanager
def _made(drafts: Sequence[Draft]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folders = ", ".join(str(draft.final.folder) for draft in drafts)
        raise HomeError(f"{folders}: cannot be made: {error.strerror}") from error
    finally:
        for draft in drafts:
            draft.discard()
