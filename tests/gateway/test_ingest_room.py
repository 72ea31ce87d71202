"""Places for messages in hand: taken by a thread, given back by the loop, fewer for a while."""

import threading

from wattle_gateway.ingest.room import Room
from wattle_testkit.waiting import until


class Taker:
    """A thread that takes places until there are none, and goes on when there are."""

    def __init__(self, room: Room) -> None:
        self.taken = 0
        self._room = room
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._room.take()
            if self._ended:
                return
            self.taken += 1

    def end(self) -> None:
        self._ended = True
        self._room.end()
        self._thread.join()


def test_as_many_as_there_are_places() -> None:
    room = Room(10)
    taker = Taker(room)
    try:
        until(lambda: taker.taken == 10, 10, "all places are taken")
        room.give()
        until(lambda: taker.taken == 11, 10, "one more")
    finally:
        taker.end()


def test_fewer_count_as_places_are_given_back_and_more_at_once() -> None:
    room = Room(10)
    taker = Taker(room)
    try:
        until(lambda: taker.taken == 10, 10, "all places are taken")
        room.limit(3)
        for _ in range(7):
            room.give()
        assert taker.taken == 10
        room.give()
        until(lambda: taker.taken == 11, 10, "the first below the limit")
        room.limit(5)
        until(lambda: taker.taken == 13, 10, "two more")
        room.limit(10)
        until(lambda: taker.taken == 18, 10, "all")
    finally:
        taker.end()


def test_free_places_are_kept_back_at_once() -> None:
    room = Room(10)
    room.limit(4)
    taker = Taker(room)
    try:
        until(lambda: taker.taken == 4, 10, "as many as the limit")
        room.limit(10)
        until(lambda: taker.taken == 10, 10, "the rest")
    finally:
        taker.end()
