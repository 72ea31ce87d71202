"""The market as the running gateway serves it: orders are carried out, events answered."""

import asyncio
from collections.abc import Callable, Mapping

from wattle_wire.sample import Sample

from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.config import PolicyConfig
from wattle_gateway.contracts import classes
from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ingest.commands import CommandSender
from wattle_gateway.ingest.resending import Resending
from wattle_gateway.orders import ledger_orders
from wattle_gateway.orders.actor import OrderActor
from wattle_gateway.orders.book import OrderBook
from wattle_gateway.participation import policy as policies
from wattle_gateway.participation.answers import Answers
from wattle_gateway.participation.participant import Participant
from wattle_gateway.runtime.clock import Clock
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.store.operation_rows import Seen


class MarketSide:
    """Make it before the meters are let in, `begin` once the ledger is open, `run` until the end.

    It is told what moves on the ledger, which meters are connected, and what they say.
    """

    def __init__(
        self,
        ledger: LedgerThread,
        commands: CommandSender,
        resending: Resending,
        seen: Mapping[bytes, Seen],
        meters: Callable[[], Mapping[bytes, Meter]],
        clock: Clock,
    ) -> None:
        """`seen`: when and how each meter was last heard; `meters`: the registry as it stands."""
        self._ledger = ledger
        self._participant: Participant | None = None
        self._resending = resending
        book = OrderBook((kid, one.boot) for kid, one in seen.items())
        self._actor = OrderActor(book, commands, meters, clock.now_ms, clock.speed)
        self.connection = self._actor.connection

    def answer_by(
        self, config: PolicyConfig, home: GatewayHome, kid: bytes, signatory: Signatory
    ) -> None:
        """Answer events for the member `kid`, if there is a policy.

        Raises ConfigError for a bad policy file, StoreError for a bad file of answers.
        """
        if config.file:
            policy = policies.load(home.folder / config.file)
            given = Answers(home.answers)
            self._participant = Participant(policy, given, kid, signatory, self._ledger)

    async def begin(self) -> None:
        """Take up the orders that stand on the ledger."""
        orders, time_ms = await self._ledger.read(
            lambda driver: (
                ledger_orders.standing(driver.state, driver.head.time_ms),
                driver.head.time_ms,
            )
        )
        self._actor.take(orders, (), time_ms)

    def follow(self, progress: Progress) -> None:
        """A step of the ledger is durable."""
        refused = [digest for digest, one in progress.transactions.items() if _is_refused(one)]
        self._actor.take(progress.orders, refused, progress.head.time_ms)
        if progress.market_changed and self._participant is not None:
            self._participant.look()

    def heard(self, meter: bytes, sample: Sample, is_new: bool) -> None:
        """A sound sample of a meter has come in; not new: the ledger or its pool had it."""
        self._resending.arrived(meter, sample.seq, is_new)
        has_time = sample.clock != "U"  # SPEC section 8: it refuses setpoints then
        self._actor.heard(meter, sample.boot, sample.command, has_time=has_time)

    async def run(self) -> None:
        """Carry out orders and answer events until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._actor.run())
            if self._participant is not None:
                tasks.create_task(self._participant.run())


def _is_refused(outcome: Outcome) -> bool:
    """Whether a transaction did nothing and never will. (A repeat was executed before; what is
    held back comes again.)"""
    if outcome.effect == contracts.RECORDED:
        return outcome.verdict != classes.ACCEPTED
    return outcome.effect == contracts.VOID
