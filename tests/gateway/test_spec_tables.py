"""Tables of SPEC that code must say too: kinds of transactions, refusals, who may send what."""

import re
from pathlib import Path

from wattle_gateway.admin import refusal_words
from wattle_gateway.contracts import classes, transactions
from wattle_gateway.contracts.events import transactions as event_transactions
from wattle_gateway.contracts.settlement import transactions as settlement_transactions
from wattle_gateway.ledger import genesis, transaction
from wattle_wire import cose

SPEC = (Path(__file__).resolve().parents[2] / "protocol" / "SPEC.md").read_text(encoding="utf-8")


def rows(section: int, header: str) -> list[list[str]]:
    """The cells of the table with this header line in a section of SPEC."""
    (text,) = re.findall(rf"^## {section}\. .*?(?=^## |\Z)", SPEC, re.MULTILINE | re.DOTALL)
    lines = text[text.index(header) :].splitlines()[2:]
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    assert table
    return table


def test_every_refusal_has_its_code_and_name() -> None:
    said = {int(code): name.strip("`") for code, name, _ in rows(12, "| code | name | when |")}
    assert said == classes.REFUSAL_NAMES
    assert sorted(said) == list(range(1, len(said) + 1))


def test_every_refusal_is_told_with_what_it_means() -> None:
    assert list(refusal_words.WORDS) == sorted(classes.REFUSAL_NAMES)
    for code, name in classes.REFUSAL_NAMES.items():
        assert refusal_words.told(code).startswith(f"{name}: ")


def test_every_kind_has_its_number_and_name() -> None:
    said = {int(kind): name for kind, name, _ in rows(10, "| kind | name | body |")}
    assert said == transaction.KIND_NAMES
    assert set(transactions.ROLES) == set(genesis.RULES_KNOWN)
    assert set(transactions.ROLES[3]) == set(said)
    assert set(transactions.ROLES[2]) == {kind for kind in said if kind < transaction.PUBLISH}
    assert set(transactions.ROLES[1]) == {1, 2, 3, 4}


def test_who_may_send_what() -> None:
    said = rows(12, "| kind | order | roles that may send it |")
    numbers = {name: kind for kind, name in transaction.KIND_NAMES.items()}
    assert [numbers[name] for name, _, _ in said] == sorted(numbers.values())
    for name, _, roles in said:
        assert transactions.ROLES[3][numbers[name]] == _roles(roles), name
    assert set(transactions.ROLES[1].values()) == {_roles("1 to 5")}


def test_which_refusals_are_faults() -> None:
    numbers = {name: kind for kind, name in transaction.KIND_NAMES.items()}
    said = {
        numbers[name]: {int(code) for code in codes.split(", ")}
        for name, codes in rows(12, "| kind | refusals that charge |")
    }
    assert said == {**event_transactions.CHARGED, **settlement_transactions.CHARGED}
    orders = {
        numbers[name]: {*map(int, re.findall("[0-9]+", order)), 1}
        for name, order, _ in rows(12, "| kind | order | roles that may send it |")
        if numbers[name] in said
    }
    assert all(codes < orders[kind] for kind, codes in said.items())


def _roles(text: str) -> tuple[int, ...]:
    """`1 to 5`, `2, 3, 4`, `1 to 5; under rules 2 also 6, but ..`."""
    plain, _, more = text.partition("; under rules 2 also ")
    if " to " in plain:
        first, last = map(int, plain.split(" to "))
        found = tuple(range(first, last + 1))
    else:
        found = tuple(map(int, plain.split(", ")))
    return (*found, int(more[0])) if more else found


def test_every_refusal_stands_in_some_order() -> None:
    """Each clause belongs to a kind, or to those that come before any."""
    orders = " ".join(
        order for _, order, _ in rows(12, "| kind | order | roles that may send it |")
    )
    named = {int(number) for number in re.findall(r"\d+", orders)} | {1, 2, 3, 4}
    assert named == set(classes.REFUSAL_NAMES)


def test_what_is_signed_has_these_kinds() -> None:
    (line,) = re.findall(r"^`<kind>`: (`sample`.*?)\. A message", SPEC, re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", line)) == cose.SIGNED_KINDS
