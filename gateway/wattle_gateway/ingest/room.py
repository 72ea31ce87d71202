"""How many messages may be in hand, where one thread takes places and the event loop frees them."""

import threading


class Room:
    """`places` of them; `limit` keeps some back for a while, as they become free."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._free = threading.Semaphore(places)
        # Of the places, those kept back and those to be; only the event loop touches these.
        self._kept_back = 0
        self._to_keep_back = 0

    def take(self) -> None:
        """Take a place, and wait until there is one; in the thread."""
        self._free.acquire()

    def give(self) -> None:
        """A place is free again; in the event loop."""
        if self._kept_back < self._to_keep_back:
            self._kept_back += 1
        else:
            self._free.release()

    def limit(self, places: int) -> None:
        """From now on only so many may be taken: what is taken beyond counts as it is given."""
        assert 0 < places <= self._places
        self._to_keep_back = self._places - places
        while self._kept_back < self._to_keep_back and self._free.acquire(blocking=False):
            self._kept_back += 1
        if self._kept_back > self._to_keep_back:
            self._free.release(self._kept_back - self._to_keep_back)
            self._kept_back = self._to_keep_back

    def end(self) -> None:
        """Nobody waits any more."""
        self._free.release(self._places)
