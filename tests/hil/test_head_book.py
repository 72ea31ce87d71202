"""Who is told to agree with whom, from what gateways say of their newest commits."""

from wattle_hil.runs import head_book
from wattle_hil.runs.head_book import HeadBook
from wattle_hil.runs.live_view import DIFFERS


def test_the_same_digest_for_the_same_commit_is_agreement() -> None:
    book = HeadBook()
    book.note("one", 7, "aa")
    assert book.verdict("one") == "first"
    book.note("two", 7, "aa")
    assert (book.verdict("one"), book.verdict("two")) == ("yes", "yes")
    assert book.differences == []


def test_who_is_behind_agrees_by_what_the_others_showed_before() -> None:
    book = HeadBook()
    book.note("one", 7, "aa")
    book.note("one", 9, "bb")
    book.note("two", 7, "aa")
    assert book.verdict("two") == "yes, 2 behind"
    book.note("two", 8, "cc")
    assert book.verdict("two") == "1 behind"


def test_two_digests_of_one_commit_are_named() -> None:
    book = HeadBook()
    book.note("one", 7, "aa")
    book.note("two", 7, "ab")
    book.note("three", 8, "ac")
    assert (book.verdict("one"), book.verdict("two")) == (DIFFERS, DIFFERS)
    assert book.differences == [7]


def test_only_so_many_commits_are_kept() -> None:
    book = HeadBook()
    for index in range(head_book.KEPT + 5):
        book.note("one", index, "aa")
    book.note("two", 0, "other")
    assert book.differences == []
