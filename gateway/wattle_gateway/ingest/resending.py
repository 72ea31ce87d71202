"""Asking meters for samples again (SPEC section 8, command 3), and watching them come."""

import asyncio
from collections.abc import Callable

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import BrokerError, UsageError
from wattle_gateway.ingest.commands import CommandSender

# Each seq that comes is remembered while somebody waits; an outbox of 1 MB holds some thousand.
SEQS_MAX = 100_000
# A meter sends 40 a second, behind what is new: who sends nothing for so long has no more.
QUIET_S = 10.0


class Watch:
    """What has come of `first` .. `to`: `came` seqs, of them `new` ones that were not here."""

    def __init__(self, first: int, to: int) -> None:
        self.first = first
        self.to = to
        self.new = 0
        self.changed = asyncio.Event()
        self._came: set[int] = set()

    @property
    def asked(self) -> int:
        """How many were asked for."""
        return self.to - self.first + 1

    @property
    def came(self) -> int:
        """How many have come."""
        return len(self._came)

    def take(self, seq: int, is_new: bool) -> None:
        """Sample `seq` is here."""
        if self.first <= seq <= self.to:
            self._came.add(seq)
            self.new += is_new
            self.changed.set()


class Resending:
    """Commands that ask for samples, and who waits for them; `quiet_s` as QUIET_S."""

    def __init__(self, commands: CommandSender, quiet_s: float = QUIET_S) -> None:
        self._commands = commands
        self._quiet_s = quiet_s
        self._watches: dict[bytes, list[Watch]] = {}

    def arrived(self, meter: bytes, seq: int, is_new: bool) -> None:
        """A sound sample of `meter` has come in; not new: the ledger or its pool had it."""
        for watch in self._watches.get(meter, ()):
            watch.take(seq, is_new)

    async def ask(
        self, meter: Meter, first: int, to: int, within_s: float, clock_s: Callable[[], float]
    ) -> Watch:
        """Ask for `first` .. `to` and wait until all have come, none comes any more, or
        `within_s` have passed on `clock_s`.

        Raises UsageError for a range that is empty or too long, BrokerError without a broker.
        """
        watch = Watch(first, to)
        if not (first >= 0 and 1 <= watch.asked <= SEQS_MAX):
            raise UsageError(
                f"samples {first} to {to}: expected a rising range of at most {SEQS_MAX}"
            )
        watches = self._watches.setdefault(meter.kid, [])
        watches.append(watch)
        try:
            if not await self._commands.resend(meter, first, to):
                raise BrokerError("the broker is not reached; the meter was not asked")
            until_s = clock_s() + within_s
            while watch.came < watch.asked and clock_s() < until_s:
                watch.changed.clear()
                left_s = min(self._quiet_s, until_s - clock_s())
                await asyncio.wait_for(watch.changed.wait(), left_s)
        except TimeoutError:
            pass
        finally:
            watches.remove(watch)
            if not watches:
                del self._watches[meter.kid]
        return watch
