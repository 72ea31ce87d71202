"""What waiting does not mend is told before anything is sent: a slip of the hand is no fault."""

from pathlib import Path

import pytest
from wattle_gateway.cli import main
from wattle_gateway.ledger.settlement_bodies import Dispute
from wattle_gateway.ledger.transaction import DISPUTE
from wattle_gateway.pki import keys
from wattle_testkit.account_ledger import MEMBERS, User
from wattle_testkit.alliance import genesis_of, private_key
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, NEIGHBOUR, THIRD
from wattle_testkit.settled_event import SETTLE_MS, SettledEvent, fresh_called
from wattle_testkit.stored_chain import as_folder

EXIT_USAGE = 2


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[SettledEvent, str, str, Path]:
    """A ledger with a stated event, its and a dispute's digest, and a folder with both."""
    ledger, event = fresh_called()
    ledger.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
    ledger.commit_at(SETTLE_MS)
    body = Dispute(event, ledger.board(HOUSE).kid, 1, 0, "no")
    dispute = ledger.done(HOUSE, DISPUTE, body.row())
    folder = tmp_path_factory.mktemp("gateway")
    constants, rules = ledger.epoch.constants, ledger.epoch.rules
    as_folder(folder, genesis_of(*MEMBERS, constants=constants, rules=rules), ledger.chain)
    return ledger, event.hex(), dispute.hex(), folder


def key_of(user: User, folder: Path) -> str:
    path = folder / f"{user.name}.key"
    if not path.exists():
        keys.save_private(path, private_key(f"{user.name} user"))
    return str(path)


def opened(story: tuple[SettledEvent, str, str, Path], load: User, who: User) -> int:
    ledger, event, _, folder = story
    point = f"{ledger.board(load).kid.hex()}/1"
    words = ("--at", str(BEGIN_MS), "--reason", "no", "--key", key_of(who, folder))
    return main(["dr", "dispute", "open", str(folder), event, point, *words])


@pytest.mark.parametrize(
    ("load", "who", "said"),
    [(THIRD, THIRD, "not_selected"), (HOUSE, NEIGHBOUR, "not_a_side")],
)
def test_a_dispute_that_is_none_is_not_sent(
    story: tuple[SettledEvent, str, str, Path],
    load: User,
    who: User,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert opened(story, load, who) == EXIT_USAGE
    assert f"nothing was sent: {said}" in capsys.readouterr().err


def test_nobody_answers_itself(
    story: tuple[SettledEvent, str, str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, dispute, folder = story
    words = ("so it was", "--key", key_of(HOUSE, folder))
    assert main(["dr", "dispute", "answer", str(folder), dispute, *words]) == EXIT_USAGE
    assert "nothing was sent: not_a_side" in capsys.readouterr().err


def test_what_may_be_accepted_is_sent(
    story: tuple[SettledEvent, str, str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no gateway that takes it: so far it gets."""
    code = opened(story, NEIGHBOUR, NEIGHBOUR)
    said = capsys.readouterr().err
    assert (code not in (0, EXIT_USAGE), "nothing was sent" in said) == (True, False), said
