"""The mark of an installation: what it says comes back, and nothing else passes for one."""

import json

import pytest
from wattle_testkit.serial_boards import small_application
from wattle_tools.boards import mark

WHOLE = small_application().mark(in_rom=False)


def test_a_mark_comes_back_as_it_was() -> None:
    assert mark.decoded(WHOLE.encoded().decode()) == WHOLE
    assert len(WHOLE.encoded()) < mark.BYTES_MAX


def test_a_mark_that_was_cut_off_is_none() -> None:
    whole = WHOLE.encoded().decode()
    assert all(mark.decoded(whole[:end]) is None for end in range(len(whole)))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"digest": "x" * 64},
        {"digest": None},
        {"version": "1\x1b[2J"},
        {"kept": "elsewhere"},
        {"files": []},
        {"files": {"/main.py": 1}},
    ],
)
def test_another_json_is_no_mark(change: dict[str, object]) -> None:
    row = {**json.loads(WHOLE.encoded()), **change}
    assert mark.decoded(json.dumps(row)) is None
    assert mark.decoded("[]") is None


def test_the_digest_moves_with_every_byte_and_not_with_the_place() -> None:
    assert small_application().mark(in_rom=True).digest == WHOLE.digest
    assert small_application(seed=2).digest != WHOLE.digest
