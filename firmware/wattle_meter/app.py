"""The meter: its parts put together, its tasks, and its end.

Sampling, signing, sending and housekeeping are tasks of their own. What fails is logged,
counted and started again; no task ever dies silently, and none takes another one with it.
"""

import asyncio
import gc

from wattle_wire import topics

from wattle_meter import config, counters, health, identity
from wattle_meter.board import (
    ERROR,
    INFO,
    RESET_ASKED,
    WARNING,
    Board,
)
from wattle_meter.bus import Bus
from wattle_meter.clock import WallClock
from wattle_meter.config import LoadConfig
from wattle_meter.control import Control, Load
from wattle_meter.grid import Grid
from wattle_meter.installation import Installation
from wattle_meter.journal import Journal
from wattle_meter.line import Line
from wattle_meter.link import Link
from wattle_meter.load import LoadType
from wattle_meter.metering import Metering
from wattle_meter.outbox import Outbox
from wattle_meter.resets import Resets, stalled
from wattle_meter.sampling import Sampling
from wattle_meter.setpoint import Setpoint
from wattle_meter.signer import SoftwareSigner
from wattle_meter.sntp import TimeServers
from wattle_meter.tasks import Tasks
from wattle_meter.updating import Updater
from wattle_meter.version import Versions

VERSION = "0.1.0"  # of the firmware, in the birth message

# Without a threshold garbage fills the heap to its end before each collection, and what is kept
# for long ends up scattered over all of it. But each collection costs a signature a twentieth, and
# it leaves 200 kB of garbage: 16 kB doubled its cost, nothing is a tenth cheaper than this.
COLLECT_EVERY_BYTES = 40960

HOUSEKEEPING_MS = 1000
# Flash lasts 100,000 writes a sector and the store spreads them: 144 a day are 30 years.
STORE_STATE_EVERY_MS = 600000
RTC_EVERY_MS = 60000
STATUS_EVERY_MS = 2000
# How long to wait before a reading that got no sequence number is tried again.
RETRY_MS = 1000
# A stop waits this long for readings that were taken but are not signed yet.
STOP_MS = 5000
_TIME = "time"


class Meter:
    """One meter on `board`. Making it reads configuration, keys and outbox; run() runs it.

    Raises a MeterError that says what a person must mend, OSError.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._versions = versions = Versions(board.store)
        subfolder = board.slots.path(versions.settings) if versions.settings else ""
        settings = config.load(board.folder, subfolder)
        self._updater = Updater(board, settings.ledger_id, settings.members, versions)
        installation = Installation(settings, board.folder, board.speed)
        port = board.serial_port(installation.line, settings.board)
        keys = identity.keys_of(board.store, board.random)
        self._resets = Resets(board.store, board.reset_cause())
        self._eui64 = settings.eui64 or board.eui64()
        self._settings = settings
        self._described = installation.described
        signer = board.element or SoftwareSigner(keys.signing)
        self.meter_id = topics.meter_id(signer.kid)
        self._wall = WallClock(board.uptime_ms(), self._stored_ms(), board.speed)
        self._journal = Journal(
            self._eui64,
            settings.ledger_id,
            signer,
            board.store,
            Outbox(board.outbox(), settings.outbox_bytes, gc.collect),
        )
        self._bus = Bus(port, installation.line, board.clock)
        self._devices = installation.devices
        loads = [_load(board, installation.line, *row) for row in installation.loads]
        self._control = Control(board, self._wall, self._bus, loads, settings.hold_ms)
        self._counters = {device.number: device.counters for device in installation.devices}
        counters.load(board.store, self._counters)
        self._sampling = Sampling(
            board,
            Grid(settings.interval_ms),
            Metering(
                self._bus,
                installation.devices,
                installation.slots,
                installation.lateness_ms,
                board.clock,
                self._control,
            ),
            [device.number for device in installation.devices],
            self._wall,
        )
        self._link = Link(
            board,
            settings,
            keys,
            signer,
            self._journal,
            self._wall,
            self._control,
            self._birth,
            self._health,
            self._clock_set,
            self._updater,
        )
        self._servers = TimeServers(board, settings.time_servers, self._wall, self._clock_set)
        self._signing = False
        self._stop_asked = False
        self._newest_before = self._journal.newest
        self._tasks = Tasks(board)
        self.counts = {"samples": 0, "unsaved": 0}

    async def run(self) -> bool:
        """Runs until the board says stop or an update wants a new start; then ends cleanly, so
        that no seq is lost. True: the board shall start anew.
        """
        gc.collect()
        gc.threshold(COLLECT_EVERY_BYTES)
        self._inform()
        self._board.log(INFO, "meter %s starts, boot %d" % (self.meter_id, self._journal.boot))
        tasks = self._tasks
        tasks.start("sampling", self._sampling.run)
        tasks.start("recording", self._record)
        tasks.start("connection", self._link.client.run)
        tasks.start("sending", self._link.send)
        tasks.start("housekeeping", self._keep_house)
        if self._settings.time_servers:
            tasks.start("time", self._servers.run)
        tasks.start("update", self._updater.run)
        waiting = asyncio.create_task(self._stop_requested())
        await self._updater.restart.wait()
        waiting.cancel()
        await tasks.stop("sampling")
        self._sampling.finish()
        await self._signed()
        await tasks.stop("recording")  # no seq is used behind the one that a clean stop notes
        clean = self._journal.stop()
        try:
            self._store_state()
        except OSError as error:
            self._board.log(ERROR, "time and counters are not stored: %r" % error)
        await tasks.stop_all()
        self._resets.note(RESET_ASKED)
        how = "cleanly" if clean else "with samples that could not be written"
        self._board.log(INFO, "meter %s stops %s" % (self.meter_id, how))
        return not self._stop_asked

    # ---- tasks

    async def _record(self) -> None:
        """Signs what sampling has read."""
        while True:
            state, readings = await self._sampling.take()
            self._signing = True
            command = self._control.confirmation()
            try:
                await self._journal.record(
                    readings, state, self._board.clock, self._link.is_up(), command
                )
                self.counts["samples"] += 1
                self._sampling.signed()
                if command is not None:
                    self._control.told(command)
            except OSError as error:
                self.counts["unsaved"] += 1
                self._sampling.give_back(state, readings)
                self._board.log(ERROR, "no sequence number: %r" % error)
                await self._board.clock.sleep_ms(RETRY_MS)
            except MemoryError:  # a heap that has run for long is in pieces
                self.counts["unsaved"] += 1
                self._sampling.no_room(state, readings)
                gc.collect()
                self._board.log(WARNING, "no room to sign %d readings" % len(readings))
            finally:
                self._signing = False
            self._link.wake()

    async def _keep_house(self) -> None:
        clock = self._board.clock
        stored_at = informed_at = shown_at = clock.ticks_ms()
        while True:
            now_ms = clock.ticks_ms()
            link_up = self._link.is_up()
            self._sampling.gather(not link_up)
            self._journal.service(now_ms, link_up)
            self._link.service()
            self._updater.service(self._link.durable() > self._newest_before)
            self._watch(now_ms)
            if now_ms - informed_at >= RTC_EVERY_MS:
                informed_at = now_ms
                self._inform()
            if now_ms - stored_at >= STORE_STATE_EVERY_MS:
                stored_at = now_ms
                self._store_state()
            if self._board.watched and now_ms - shown_at >= STATUS_EVERY_MS:
                shown_at = now_ms
                self._board.status(self.figures())
            await clock.sleep_ms(HOUSEKEEPING_MS)

    def _watch(self, now_ms: int) -> None:
        """Feeds the watchdog while everything gets on; notes for the next start what does not."""
        cause = stalled(now_ms, self._sampling.got_on_at, self._link.got_on_at)
        if cause is None:
            self._board.feed_watchdog()
        self._resets.note(cause)
        self._board.show(self._sampling.reads, self._link.is_up())

    async def _stop_requested(self) -> None:
        await self._board.stop_requested()
        self._stop_asked = True
        self._updater.restart.set()

    async def _signed(self) -> None:
        """Waits until every reading is in a signed sample."""
        until_ms = self._board.clock.ticks_ms() + STOP_MS
        while self._signing or not self._sampling.is_empty():
            if self._board.clock.ticks_ms() >= until_ms:
                return
            await self._board.clock.sleep_ms(10)

    # ---- time

    def _inform(self) -> None:
        rtc_ms = self._board.rtc_ms()
        if rtc_ms is not None:
            self._clock_set(self._wall.inform(self._board.uptime_ms(), rtc_ms))

    def _clock_set(self, jump_ms: int) -> None:
        if jump_ms:
            self._board.log(INFO, "clock: set by %d ms" % jump_ms)
        self._sampling.clock_set(jump_ms)

    def _stored_ms(self) -> int:
        value = self._board.store.get(_TIME)
        return int.from_bytes(value, "big") if value is not None and len(value) == 8 else 0

    def _store_state(self) -> None:
        """What the next life goes on from: the highest time shown, the energy counters."""
        now_ms = self._wall.now_ms(self._board.uptime_ms())
        self._board.store.set(_TIME, now_ms.to_bytes(8, "big"))
        counters.save(self._board.store, self._counters)
        self._board.store.commit()

    # ---- what others want to know

    def _birth(self) -> dict[str, object]:
        uptime_ms = self._board.uptime_ms()
        return {
            "boot": self._journal.boot,
            "clk": self._wall.state(uptime_ms),
            "devices": self._described,
            "eui64": self._eui64,
            "fw": VERSION,
            "interval_ms": self._settings.interval_ms,
            "platform": self._board.platform,
            "protect": self._board.protection,
            "seq": self._journal.newest + 1,
            "site": self._settings.site,
            "time_ms": self._wall.now_ms(uptime_ms),
            "version": self._versions.running,
        }

    def _health(self) -> list[object]:
        counts = {"unsaved": self.counts["unsaved"], "restarts": self._tasks.restarts}
        for more in (self._bus.counts, self._sampling.counts, self._link.client.counts):
            counts.update(more)
        return health.record(self._board, self._resets, self._journal, self._devices, counts)

    def figures(self) -> dict[str, object]:
        """Counters of all parts; heap bytes after a collection."""
        gc.collect()
        uptime_ms = self._board.uptime_ms()
        result: dict[str, object] = dict(self.counts)
        result["restarts"] = self._tasks.restarts
        result.update(self._sampling.counts)
        result.update(self._servers.counts)
        result.update(self._journal.counts())
        result.update({"bus": self._bus.counts, "link": self._link.figures()})
        result["loads"] = self._control.figures()
        result["devices"] = {str(device.number): device.figures() for device in self._devices}
        result.update({"clk": self._wall.state(uptime_ms), "boot": self._journal.boot})
        result.update({"time_ms": self._wall.now_ms(uptime_ms), "meter": self.meter_id})
        result.update({"seq": self._journal.newest, "final": self._journal.chain.final})
        result.update({"reset_cause": self._resets.cause, "resets": self._resets.counts})
        result.update({"heap_free": gc.mem_free(), "heap_used": gc.mem_alloc()})
        return result


def _load(
    board: Board, line: Line, row: LoadConfig, kind: LoadType, low_w: int, high_w: int
) -> Load:
    """Raises FieldError for a relay that the board lacks, OSError."""
    setpoint = Setpoint(kind, low_w, high_w, row.rest_w, board.uptime_ms(), board.speed)
    if row.relay is not None:
        return Load(row.number, kind, setpoint, 0, board.relay(row.relay), 0)
    return Load(row.number, kind, setpoint, row.unit or 0, None, kind.write_ms(line))
