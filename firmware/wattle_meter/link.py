"""The meter's side of the conversation with its gateway: what is said, believed and answered.

Messages from the broker are a stranger's bytes until their MAC verifies. Everything here runs
beside the sampling and never delays it.
"""

import asyncio
import gc

from wattle_wire import cose, downlink, p256, structure, topics, update, uplink_writer
from wattle_wire.errors import MacError, PointError, WireError

from wattle_meter.acks import Delivery
from wattle_meter.board import INFO, WARNING, Board, Stream
from wattle_meter.clock import ClockError, WallClock
from wattle_meter.commands import CommandError, Commands
from wattle_meter.config import Config, GatewayConfig
from wattle_meter.control import Control
from wattle_meter.errors import MeterError
from wattle_meter.fields import FieldError
from wattle_meter.gateway_choice import GatewayChoice
from wattle_meter.journal import Journal
from wattle_meter.keys import Keys
from wattle_meter.mqtt_client import Client, Handler, Hello, NotConnectedError
from wattle_meter.signer import Signer, seal
from wattle_meter.updating import Updater, is_update

# How often the time is asked for while no answer comes; an answer is valid for 10 s.
ASK_EVERY_MS = 20000
HEALTH_EVERY_MS = 300000  # SPEC section 7 allows no more; an operator looks less often
# Of the outbox, ten readings a sample and packed: 1 MB holds two hours of one device a second.
READING_BYTES = 145
# The sender looks again at the latest after this, whatever the ack rules say.
IDLE_MS_MAX = 1000
_CLIENT_ID_RANDOM_BYTES = 11  # 22 of the 23 characters that every broker takes (MQTT 3.1.3.1)


class ForeignKeyError(MeterError):
    """A message under the link key of somebody else than the gateway we talk to."""


class Link(Handler):
    """Everything between journal and broker. Two tasks: `client.run()` and `send()`.

    `describe()` gives the birth map of SPEC section 7, `health()` its health record;
    `clock_set(jump_ms)` is called when a gateway corrected the clock. `counts` says what became of
    messages from the broker; `got_on_at` is the tick at which the sender last looked for something
    to send.
    """

    def __init__(  # type: ignore[no-untyped-def]
        self,
        board: Board,
        config: Config,
        keys: Keys,
        signer: Signer,
        journal: Journal,
        wall: WallClock,
        control: Control,
        describe,
        health,
        clock_set,
        updater: Updater,
    ) -> None:
        self._board = board
        self._config = config
        self._keys = keys
        self._signer = signer
        self._journal = journal
        self._wall = wall
        self._control = control
        self._describe = describe
        self._health = health
        self._clock_set = clock_set
        self._updater = updater
        self._news = False  # of an update, not sent yet
        updater.tell = self._tell
        self._clock = board.clock
        self._gateway: GatewayConfig = config.gateways[0]
        # Now, because it takes a board a quarter of a second that a running meter does not have.
        self._link_keys = {row.link_kid: self._link_key(row) for row in config.gateways}
        self._choice = GatewayChoice(len(config.gateways), self._clock.ticks_ms())
        rounds = config.outbox_bytes // READING_BYTES // len(config.devices)
        self._choice.visit_within(rounds * config.interval_ms // board.speed)
        self._commands = Commands(board.store, [row.link_kid for row in config.gateways])
        self._delivery = self._new_delivery()
        self._progress = self._delivery.progress()
        self._connection = b""
        self._asked_at: int | None = None
        self._told_at = 0  # tick of the last `state`
        self._opened = False  # a connection whose birth has not been sent
        self._work = asyncio.Event()
        self.client = Client(self, self._clock, board.random)
        self.got_on_at = self._clock.ticks_ms()
        self.counts = {"acks": 0, "foreign": 0, "forged": 0, "malformed": 0, "stale": 0, "times": 0}

    # ---- for the rest of the meter

    def wake(self) -> None:
        """There is something new to send."""
        self._work.set()

    def durable(self) -> int:
        """The highest seq that the gateway we talk to says is safe with all before it."""
        return self._delivery.durable

    def is_up(self) -> bool:
        """Whether samples get through: connected, and durable moves as it should."""
        return self.client.connected and self._delivery.flows(self._clock.ticks_ms())

    def service(self) -> None:
        """Turns to another gateway when it is time; call about once a second."""
        if self._choice.decide(self._journal.samples_wait(), self._clock.ticks_ms()):
            row = self._config.gateways[self._choice.index]
            self._board.log(WARNING, "link: turning to gateway %s:%d" % (row.host, row.port))
            self.client.drop("another gateway's turn")

    def figures(self) -> dict[str, object]:
        """Counters and what is known of the gateway."""
        result: dict[str, object] = dict(self.counts)
        result.update(self.client.counts)
        result.update(self._delivery.counts)
        result.update({"commands": self._commands.counts, "gateway": self._choice.index})
        result.update({"connected": self.client.connected, "durable": self._delivery.durable})
        return result

    # ---- connection (called by the MQTT client)

    async def dial(self) -> Stream:
        self._gateway = self._config.gateways[self._choice.index]
        return await self._board.connect(self._gateway, self._keys.tls.der())

    def hello(self) -> Hello:
        self._connection = self._board.random.bytes(uplink_writer.CONNECTION_BYTES)
        counts = self._delivery.counts
        self._delivery = self._new_delivery()
        self._delivery.counts = counts  # of the meter's life, not of a connection
        self._asked_at = None
        will = uplink_writer.encode_state(self._connection, False)
        return Hello(
            self._board.random.bytes(_CLIENT_ID_RANDOM_BYTES).hex(),
            (self._topic(topics.STATE), will, True),
            [self._topic(topics.ACK), self._topic(topics.CMD)],
        )

    def opened(self) -> None:
        self._board.log(INFO, "link: connected to %s:%d" % (self._gateway.host, self._gateway.port))
        self._opened = True
        self._work.set()

    def closed(self, reason: str) -> None:
        self._board.log(WARNING, "link: no connection: %s" % reason)
        self._opened = False
        self._work.set()

    def received(self, topic: str, payload: bytes) -> None:
        try:
            if topic == self._topic(topics.ACK):
                self._ack(self._authentic("ack", payload))
            elif topic == self._topic(topics.CMD) and is_update(payload):
                self._updater.take(payload)
            elif topic == self._topic(topics.CMD):
                self._command(self._authentic("cmd", payload))
            else:
                self.counts["foreign"] += 1
        except MacError as error:
            self._refuse("forged", error)
        except WireError as error:
            self._refuse("malformed", error)
        except ForeignKeyError as error:
            self._refuse("foreign", error)
        except (CommandError, ClockError) as error:
            self._refuse("stale", error)

    # ---- sending

    async def send(self) -> None:
        """Sends what is due whenever there is a connection, for ever."""
        while True:
            self.got_on_at = self._clock.ticks_ms()
            try:
                if self._opened:
                    self._opened = False
                    await self._greet()
                wait_ms = await self._send_one() if self.client.connected else IDLE_MS_MAX
            except NotConnectedError:
                continue  # the next connection will be announced by opened()
            except (
                MemoryError
            ):  # no piece of heap for the whole sample: what is on its way frees some
                gc.collect()
                self._board.log(WARNING, "link: no room to send")
                wait_ms = IDLE_MS_MAX
            if wait_ms:
                await self._rest(wait_ms)

    async def _greet(self) -> None:
        """Birth and state: what a gateway must know of this connection."""
        birth = uplink_writer.encode_birth(self._describe())
        raw, _ = await seal(self._signer, "birth", self._config.ledger_id, birth, self._clock)
        await self.client.publish(self._topic(topics.BIRTH), raw, True)
        await self._send_state()

    async def _send_one(self) -> int:
        """Sends one sample, or the question for the time; 0 or the ms after which to look again."""
        now_ms = self._clock.ticks_ms()
        delivery = self._delivery
        if self._news or self._time_is_due(now_ms) or now_ms - self._told_at >= HEALTH_EVERY_MS:
            await self._send_state()
            return 0
        seq, wait_ms = delivery.next(self._journal, self._journal.newest, now_ms)
        if await self._settle(delivery):
            return 0  # that took a while: something else may be next
        if seq is None:
            return max(1, min(wait_ms, IDLE_MS_MAX))
        raw = self._journal.data(seq)
        if raw is None:
            self._journal.damaged(seq)
            delivery.lost(seq)
            return 0
        await self.client.publish(self._topic(topics.SAMPLE), raw)
        delivery.sent(seq, len(raw), self._clock.ticks_ms())
        return 0

    async def _settle(self, delivery: Delivery) -> bool:
        """What the ack rules found out: seqs that are not kept, samples that were refused; gives
        whether there were any of these, which take their time.
        """
        absent, delivery.absent = delivery.absent, []
        for first, to in absent:
            self._journal.absent(first, to)
        suspects, delivery.suspects = delivery.suspects, []
        for seq in suspects:
            if await self._sound(seq):
                delivery.resend(seq, seq)
            else:
                self._journal.damaged(seq)
                delivery.lost(seq)
        return bool(suspects)

    async def _sound(self, seq: int) -> bool:
        """Whether a stored sample bears our signature; lets other tasks run meanwhile."""
        raw = self._journal.data(seq)
        if raw is None:
            return False
        try:
            signed = cose.parse_sign1("sample", self._config.ledger_id, bytes(raw))
            for _ in p256.verify_steps(self._signer.public, signed.digest, signed.signature):
                await self._clock.sleep_ms(0)
        except WireError:
            return False
        return True

    async def _send_state(self) -> None:
        """Tells the gateway that we are here and how, and asks for the time if that is due."""
        nonce = None
        self._news = False
        news = self._updater.news
        # One state asks for each chunk: health would be a third of what is sent then.
        health = None if news is not None and news[1] == update.RECEIVING else self._health()
        uptime_ms = self._board.uptime_ms()
        self._told_at = self._clock.ticks_ms()
        if self._wall.wants_time(uptime_ms):
            nonce = self._board.random.bytes(downlink.NONCE_BYTES)
            self._asked_at = self._clock.ticks_ms()
            self._wall.ask(uptime_ms, nonce)
        state = uplink_writer.encode_state(self._connection, True, nonce, health, news)
        await self.client.publish(self._topic(topics.STATE), state, True)

    def _tell(self) -> None:
        self._news = True
        self._work.set()

    def _time_is_due(self, now_ms: int) -> bool:
        if self._asked_at is not None and now_ms - self._asked_at < ASK_EVERY_MS:
            return False
        return self._wall.wants_time(self._board.uptime_ms())

    async def _rest(self, wait_ms: int) -> None:
        try:
            await asyncio.wait_for(self._work.wait(), wait_ms / 1000)
        except asyncio.TimeoutError:
            pass
        self._work.clear()

    # ---- receiving

    def _authentic(self, kind: str, raw: bytes) -> bytes:
        """The payload of a message by the gateway we talk to. Raises WireError."""
        kid = cose.kid_of_mac0(raw)
        if kid != self._gateway.link_kid:
            raise ForeignKeyError("%s under link key %s, not the gateway's" % (kind, kid.hex()))
        return cose.open_mac0(kind, self._config.ledger_id, raw, self._link_keys[kid])

    def _ack(self, payload: bytes) -> None:
        ack = downlink.decode_ack(payload)
        now_ms = self._clock.ticks_ms()
        if not self._delivery.acked(ack, self._journal.newest, now_ms):
            self.counts["stale"] += 1
            return
        progress = self._delivery.progress()
        if progress > self._progress:  # anybody can repeat an old ack
            self._progress = progress
            self._control.heard()
        self.counts["acks"] += 1
        if self._journal.acked(ack):
            self._choice.final_moved(now_ms)
        self._work.set()

    def _command(self, payload: bytes) -> None:
        kind, body = self._commands.accept(self._gateway.link_kid, payload)
        self._control.heard()
        try:
            self._carry_out(kind, body)
        except (CommandError, ClockError):
            self._commands.counts["refused"] += 1
            raise
        self._commands.counts["carried_out"] += 1
        self._work.set()

    def _carry_out(self, kind: int, body: list[object]) -> None:
        if kind == downlink.TIME:
            nonce = structure.octets(body[0], downlink.NONCE_BYTES, "nonce")
            unix_ms = structure.uint(body[1], "time")
            uptime_ms = self._board.uptime_ms()
            jump_ms = self._wall.answer(uptime_ms, nonce, unix_ms)
            self._board.time_proved(self._wall.now_ms(uptime_ms))
            self.counts["times"] += 1
            self._clock_set(jump_ms)
        elif kind == downlink.RESEND:
            self._delivery.resend(structure.uint(body[0], "from"), structure.uint(body[1], "to"))
        else:
            self._control.take(kind, body)

    def _refuse(self, outcome: str, error: Exception) -> None:
        self.counts[outcome] += 1
        self._board.log(WARNING, "link: message not taken (%s): %s" % (outcome, error))

    def _link_key(self, gateway: GatewayConfig) -> bytes:
        """The key of the MACs between this meter and `gateway`. Raises FieldError."""
        try:
            secret = p256.ecdh(self._keys.link.private, gateway.link_public)
        except PointError as error:
            raise FieldError(
                "config.json: gateways: link_public of %s: %s" % (gateway.host, error)
            ) from None
        return cose.link_key(secret, self._config.ledger_id, self._signer.kid, gateway.link_kid)

    def _topic(self, leaf: str) -> str:
        return topics.topic(self._config.site, topics.meter_id(self._signer.kid), leaf)

    def _new_delivery(self) -> Delivery:
        chain = self._journal.chain
        return Delivery(
            chain.final, chain.commit_index, self._journal.newest, self._clock.ticks_ms()
        )
