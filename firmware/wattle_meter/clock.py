"""The meter's wall clock: an offset over the board's uptime, and how far it can be trusted.

Pure: uptime and random bytes are passed in. States are those of SPEC section 6. A correction
changes the offset only: sequence numbers, chain and time-outs never look at the wall clock.
"""

from wattle_wire.downlink import NONCE_VALID_MS

from wattle_meter.errors import MeterError

UNSYNCHRONISED = "U"
INFORMATIVE = "I"
SYNCHRONISED = "S"
RELATIVE = "R"

EPOCH_2000_MS = 946684800000  # where a board without any idea of the time begins (SPEC 6)
SYNCHRONISED_FOR_MS = 3600000  # SPEC section 6
# Half of that: one lost answer must not cost the state S.
ASK_AFTER_MS = 1800000
# An unauthenticated source may be corrected backwards by its own source, but not by more than
# this: a real-time clock with an empty battery restarts in the past.
SET_BACK_MAX_MS = 60000
# How far uptime runs ahead at most: a crystal that is ten times as bad as they are (100 ppm), or
# a correct source would be refused for ever after some weeks.
_FAST_DIVISOR = 1000


class ClockError(MeterError):
    """An answer about the time that was not asked for, or came too late."""


class WallClock:
    """Unix time in ms from uptime in ms.

    `speed` is the number of uptime milliseconds in a real one: 1 on a board, more on a bench,
    where answers and drift still take real time.
    """

    def __init__(self, uptime_ms: int, stored_ms: int = 0, speed: int = 1) -> None:
        """Starts at `stored_ms`, the last time the meter showed before, or at 2000-01-01."""
        self._started_ms = max(EPOCH_2000_MS, stored_ms)
        self._started_at = uptime_ms
        self._offset_ms = self._started_ms - uptime_ms
        self._speed = speed
        self._informed = False
        self._synchronised_at: int | None = None
        self._nonce: bytes | None = None
        self._asked_at = 0

    def now_ms(self, uptime_ms: int) -> int:
        """Unix time in ms at `uptime_ms`, as good as it is known."""
        return uptime_ms + self._offset_ms

    def state(self, uptime_ms: int) -> str:
        """Clock state at `uptime_ms`: U, I, S or R."""
        if self._synchronised_at is None:
            return INFORMATIVE if self._informed else UNSYNCHRONISED
        age_ms = uptime_ms - self._synchronised_at
        return SYNCHRONISED if age_ms <= SYNCHRONISED_FOR_MS * self._speed else RELATIVE

    def inform(self, uptime_ms: int, unix_ms: int) -> int:
        """Takes the time of an unauthenticated source; gives the ms the clock jumped.

        Ignored once a gateway has set the clock, and when it lies in the past: before the time
        that the meter showed before its start and the time that has passed since then. (Without
        the latter a source that is late by an hour would be believed after an hour.)
        """
        passed_ms = uptime_ms - self._started_at
        least_ms = self._started_ms + passed_ms - passed_ms // _FAST_DIVISOR - SET_BACK_MAX_MS
        if self._synchronised_at is not None or unix_ms < least_ms:
            return 0
        self._informed = True
        return self._set(uptime_ms, unix_ms)

    def is_informable(self) -> bool:
        """Whether an unauthenticated source may still set the clock: no gateway has."""
        return self._synchronised_at is None

    def wants_time(self, uptime_ms: int) -> bool:
        """Whether a gateway should be asked for the time now."""
        return (
            self._synchronised_at is None
            or uptime_ms - self._synchronised_at >= ASK_AFTER_MS * self._speed
        )

    def ask(self, uptime_ms: int, nonce: bytes) -> None:
        """Notes the question sent at `uptime_ms`; `nonce` is 16 fresh random bytes."""
        self._nonce = nonce
        self._asked_at = uptime_ms

    def answer(self, uptime_ms: int, nonce: bytes, unix_ms: int) -> int:
        """Takes an authenticated `time` command; gives the ms the clock jumped, mostly 0.

        The gateway looked at its clock at some instant between question and answer, so half of
        the time between them is the uncertainty; a difference within it corrects nothing.
        Raises ClockError for a nonce that is not the last one asked with, was answered before,
        or is older than 10 s of real time.
        """
        if self._nonce is None or nonce != self._nonce:
            raise ClockError("time for nonce %s, which is not open" % nonce.hex())
        round_trip_ms = uptime_ms - self._asked_at
        self._nonce = None
        if round_trip_ms > NONCE_VALID_MS * self._speed:
            raise ClockError(
                "time after %d ms, expected within %d ms"
                % (round_trip_ms // self._speed, NONCE_VALID_MS)
            )
        uncertainty_ms = (round_trip_ms + 1) // 2
        self._synchronised_at = uptime_ms
        estimate_ms = unix_ms + uncertainty_ms
        if abs(estimate_ms - self.now_ms(uptime_ms)) <= uncertainty_ms:
            return 0
        return self._set(uptime_ms, estimate_ms)

    def _set(self, uptime_ms: int, unix_ms: int) -> int:
        jump_ms = unix_ms - self.now_ms(uptime_ms)
        self._offset_ms += jump_ms
        return jump_ms
