"""The way of a message: topic, worker, admission, ack.

Messages wait in one queue (bounded by the link's back-pressure), samples go to the workers in
chunks, and whatever becomes of a message it is given back to the broker exactly once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from wattle_wire import downlink, topics
from wattle_wire.errors import WireError
from wattle_wire.sample import Sample

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import StoreError
from wattle_gateway.ingest import checker
from wattle_gateway.ingest.acks import AckSender
from wattle_gateway.ingest.admission import FORK, REPEAT, STORED, Admission, Admitted
from wattle_gateway.ingest.checker import Checked, Refused
from wattle_gateway.ingest.desk import Desk
from wattle_gateway.ingest.mqtt_link import Message
from wattle_gateway.ingest.workers import Workers
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log

# One task for a worker: long enough to be worth the way there, short enough to be fair.
CHUNK_MAX = 100
# The same while the gateway is short of memory: of 16 KiB samples 320 kB, not 1.6 MB, each time.
SMALL_CHUNK_MAX = 20
# Refusals are counted each and told in the log so often.
TOLD_A_MINUTE_MAX = 30

_log = Log("ingest")


class Intake:
    """Takes the messages of the link; `on_hint(topic's meter, leaf, message)` gets the rest.

    `on_sample(meter, sample, whether it is new)` is told of each sound sample.
    """

    def __init__(
        self,
        ledger: LedgerThread,
        workers: Workers,
        worker_count: int,
        admission: Admission,
        desk: Desk,
        acks: AckSender,
        now_ms: Callable[[], int],
        on_hint: Callable[[str, str, str, Message], None],
        on_sample: Callable[[bytes, Sample, bool], None],
    ) -> None:
        self._ledger = ledger
        self._workers = workers
        self._admission = admission
        self._desk = desk
        self._acks = acks
        self._now_ms = now_ms
        self._on_hint = on_hint
        self._on_sample = on_sample
        self._meters: dict[bytes, Meter] = {}
        self._waiting: list[Message] = []
        self._arrived = asyncio.Event()
        # Two chunks a worker: one under way, one ready.
        self._slots = asyncio.Semaphore(2 * worker_count)
        self._chunk_max = CHUNK_MAX
        self._told_minute = -1
        self._told = 0

    def take_small_chunks(self, small: bool) -> None:
        """Whether few messages go to a worker at once: less memory for more switching."""
        self._chunk_max = SMALL_CHUNK_MAX if small else CHUNK_MAX

    def set_meters(self, meters: dict[bytes, Meter]) -> None:
        """The registry as it stands."""
        self._meters = meters

    def take(self, message: Message) -> None:
        """A message has arrived."""
        try:
            site, meter, leaf = topics.parse(message.topic)
        except WireError:
            self._desk.count("unknown_topic")
            message.done()
            return
        if leaf == topics.SAMPLE:
            self._waiting.append(message)
            self._arrived.set()
        else:
            self._on_hint(site, meter, leaf, message)

    async def run(self) -> None:
        """Send chunks to the workers until cancelled; an error of a chunk ends all."""
        before = asyncio.Event()
        before.set()
        async with asyncio.TaskGroup() as chunks:
            while True:
                await self._arrived.wait()
                await self._slots.acquire()
                chunk, self._waiting = self._next_chunk()
                if not self._waiting:
                    self._arrived.clear()
                after = asyncio.Event()
                chunks.create_task(self._process(chunk, before, after))
                before = after

    def _next_chunk(self) -> tuple[list[Message], list[Message]]:
        return self._waiting[: self._chunk_max], self._waiting[self._chunk_max :]

    async def _process(
        self, chunk: list[Message], before: asyncio.Event, after: asyncio.Event
    ) -> None:
        """Check a chunk beside others, then admit it in its turn: `before` is the chunk before's,
        `after` ours. Out of turn, a meter would be told of holes that are none."""
        try:
            verdicts = await self._workers.check(
                [(message.payload, self._key_for(message.payload)) for message in chunk]
            )
            await before.wait()
            if verdicts is None:
                self._desk.count("dropped", len(chunk))
            else:
                await self._take_in(list(zip(chunk, verdicts, strict=True)))
        finally:
            after.set()
            self._slots.release()
            for message in chunk:
                message.done()

    async def _take_in(self, judged: list[tuple[Message, Checked | Refused]]) -> None:
        good = []
        for message, verdict in judged:
            if isinstance(verdict, Refused):
                self._refuse(message, checker.claimed_kid(message.payload), verdict)
            else:
                good.append((message, verdict))
        if good:
            await self._admit(good)

    async def _admit(self, good: list[tuple[Message, Checked]]) -> None:
        samples = [checked for _, checked in good]
        try:
            admitted = await self._ledger.step(
                lambda driver, at: self._admission.admit(driver, at, samples)
            )
        except StoreError:
            # Not on disk, so not acknowledged: the meters send them again.
            self._desk.count("dropped", len(good))
            return
        by_checked = {id(checked): message for message, checked in good}
        for result in admitted:
            self._settle(by_checked[id(result.checked)], result)

    def _settle(self, message: Message, result: Admitted) -> None:
        checked, effect = result.checked, result.effect
        if not message.topic.endswith(f"/{topics.meter_id(checked.meter)}/{topics.SAMPLE}"):
            self._desk.count("foreign_topic")
        if isinstance(effect, Refused):
            self._refuse(message, checked.meter, effect)
            return
        self._desk.count({STORED: "stored", REPEAT: "repeat", FORK: "fork"}[effect])
        seen, sample = self._desk.of(checked.meter), checked.signed.sample
        repeated = effect != STORED
        self._on_sample(checked.meter, sample, not repeated)
        self._desk.note(
            replace(
                seen,
                at_ms=self._now_ms(),
                clock=sample.clock,
                boot=max(seen.boot, sample.boot),
                repeats=seen.repeats + repeated,
            )
        )
        if repeated:
            self._acks.remind(checked.meter)  # it has not heard our ack

    def _refuse(self, message: Message, kid: bytes | None, refused: Refused) -> None:
        self._desk.refuse(refused.reason, self._now_ms(), message.topic, message.payload)
        name = downlink.REFUSAL_NAMES[refused.reason]
        self._tell("refused", reason=name, topic=message.topic, detail=refused.detail)
        # Told to the meter only where the broker vouches that it came from it.
        if kid is not None and refused.seq is not None and kid in self._meters:
            site = self._meters[kid].site
            if message.topic == topics.topic(site, topics.meter_id(kid), topics.SAMPLE):
                self._acks.refused(kid, refused.seq, refused.reason)

    def _key_for(self, raw: bytes) -> bytes | None:
        kid = checker.claimed_kid(raw)
        meter = None if kid is None else self._meters.get(kid)
        return None if meter is None else meter.signing_key

    def _tell(self, event: str, **fields: object) -> None:
        minute = int(asyncio.get_running_loop().time() // 60)
        if minute != self._told_minute:
            self._told_minute, self._told = minute, 0
        self._told += 1
        if self._told <= TOLD_A_MINUTE_MAX:
            _log.warning(event, **fields)
