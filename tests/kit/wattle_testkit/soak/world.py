"""One soak: lives of a meter, one after the other, in a world that fails as its plan says."""

import json
import struct
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random

from wattle_testkit.soak import line
from wattle_testkit.soak.agenda import Agenda
from wattle_testkit.soak.broker import Session
from wattle_testkit.soak.ledger import COMMIT_EVERY_MS, Gateway, Ledger, Meter
from wattle_testkit.soak.line import SerialLine
from wattle_testkit.soak.pipe import MeterProcess
from wattle_testkit.soak.plan import GATEWAYS, POWER, Plan, Weather
from wattle_testkit.soak.record import Fault, Life, Record, Status

EPOCH_MS = 1_770_000_000_000  # Unix time at which a soak begins
EIO, ENOSPC, CUT = 5, 28, 255
COUNTERS = (
    *("heap_used", "heap_free", "restarts", "unsaved", "missed_slots", "unreported", "rounds"),
    *("dropped", "torn", "damaged", "write_failed", "outbox_flash_bytes", "gaps"),
    *("seq", "final", "samples", "fed_ms"),
)
FULL_PERCENT = 85  # an outbox goes by segments, so it is never full to the last byte
_SOON_MS = 60_000  # a cut in a write that does not come within this comes without one
_STOPS_MS = 10_000
_KEY_BYTES = 32


class Soak:
    """`command`: how the meter is started, up to FOLDER; `folder`: its flash."""

    def __init__(
        self,
        plan: Plan,
        seed: int,
        command: Sequence[str],
        folder: Path,
        signatures: str,
        mutant: str,
    ) -> None:
        self._plan = plan
        self._seed = seed
        self._random = Random(f"world {seed}")
        self._command = command
        self._folder = folder
        self._mutant = mutant
        self._signatures = signatures
        self.record = Record(sha256(b"soak").digest()[:16], outbox_bytes=plan.outbox_bytes)
        self.record.faults = list(plan.faults)
        self.record.quiet_ms = plan.quiet_ms
        self._agenda = Agenda()
        self._weather = Weather()
        self._line = SerialLine(
            self._agenda, self._weather, self._random, self.record, partial(self._tell, b"s")
        )
        self._ledger = Ledger()
        self._gateways = [
            Gateway(
                number,
                self._ledger,
                self._agenda,
                self._weather,
                self._random,
                self.record,
                self._unix_ms,
            )
            for number in range(GATEWAYS)
        ]
        self._unix_offset_ms = EPOCH_MS
        self._rtc_offset_ms: int | None = EPOCH_MS
        self._sessions: dict[int, Session] = {}
        self._outgoing: list[tuple[bytes, bytes]] = []
        self._cut_in: str | None = None  # the frame at which the power fails
        self._ending = ""
        self._process: MeterProcess | None = None

    def run(self) -> Record:
        """Runs all lives. Raises MeterEndedError."""
        self._furnish()
        for fault in self._plan.faults:
            self._agenda.at(fault.begin_ms, partial(self._begin, fault))
        self._agenda.at(COMMIT_EVERY_MS, self._commit)
        while self._agenda.now_ms < self._plan.end_ms:
            self._live()
            if self.record.lives[-1].end == "over":
                break
            self._agenda.run_to(self._agenda.now_ms + self._random.randint(500, 20_000))
        self.record.final = self._ledger.final
        return self.record

    # ---- the meter's process

    def _furnish(self) -> None:
        """The folder of a board that has never been started."""
        profiles = Path(__file__).resolve().parents[4] / "firmware" / "profiles"
        (self._folder / "profiles").mkdir(parents=True)
        name = f"{line.PROFILE}.json"
        (self._folder / "profiles" / name).write_bytes((profiles / name).read_bytes())
        config = {
            "format": 1,
            "site": "soak",
            "ledger_id": self.record.ledger_id.hex(),
            "interval_ms": 1_000,
            "gateways": [
                {
                    "host": str(gateway.number),
                    "port": 8883,
                    "ca": "ca.der",
                    "link_public": gateway.link_public.hex(),
                }
                for gateway in self._gateways
            ],
            "devices": [
                {
                    "d": 1,
                    "profile": line.PROFILE,
                    "unit": line.UNIT,
                    "quantities": sorted(line.QUANTITIES),
                }
            ],
            "outbox_bytes": self._plan.outbox_bytes,
            "board": {},
        }
        (self._folder / "config.json").write_text(json.dumps(config))

    def _live(self) -> None:
        """One life, from the power's coming to its going."""
        number = len(self.record.lives)
        rtc = None if self._random.random() < 0.4 else self._rtc_offset_ms
        self.record.lives.append(Life(self._agenda.now_ms, rtc=rtc is not None))
        unix = "none" if rtc is None else str(rtc + self._agenda.now_ms)
        arguments = (
            str(self._folder),
            f"{self._seed}.{number}",
            unix,
            self._signatures,
            self._mutant,
        )
        self._sessions, self._outgoing = {}, []
        self._cut_in, self._ending = None, ""
        self._process = MeterProcess((*self._command, *arguments), self._folder / "stderr.txt")
        try:
            while not self._ending:
                self._frame(*self._process.frame())
        finally:
            self._process.cut()
            life = self.record.lives[-1]
            life.end_ms, life.end = self._agenda.now_ms, self._ending
        for session in self._sessions.values():
            session.open = session.subscribed = False
        for gateway in self._gateways:
            gateway.session = None

    def _frame(self, kind: bytes, body: bytes) -> None:
        begun_ms = self.record.lives[-1].begin_ms
        match kind:
            case b"P":
                now_ms, until_ms = struct.unpack(">II", body)
                self._pass_time(begun_ms + now_ms, begun_ms + until_ms)
            case b"S":
                self._line.request(begun_ms + int.from_bytes(body[:4], "big"), body[4:])
            case b"C":
                self._connect(body[0], int(body[1:]))
            case b"D":
                if body[0] in self._sessions:
                    self._sessions[body[0]].received(body[1:])
            case b"X":
                self._closed(body[0])
            case b"G":
                at_ms = begun_ms + int.from_bytes(body[:4], "big")
                self.record.signed.append((at_ms, len(self.record.lives) - 1, body[4:]))
            case b"H":
                values = struct.unpack(f">{len(COUNTERS)}I", body)
                counters = dict(zip(COUNTERS, values, strict=True))
                counters["fed_ms"] += begun_ms
                self.record.statuses.append(
                    Status(self._agenda.now_ms, len(self.record.lives) - 1, counters)
                )
            case b"L":
                self.record.log.append((self._agenda.now_ms, body[0], body[1:].decode()))
            case b"F" | b"R" | b"N":
                self._write(kind.decode(), body)
            case b"Z":
                self._ending = "cut"
            case b"E":
                self._ending = "stop"
            case b"U":
                self._ending = "unstarted"
            case _:
                raise AssertionError(f"a frame of kind {kind!r}")

    def _pass_time(self, now_ms: int, until_ms: int) -> None:
        """Nothing more to do until `until_ms`, unless something happens before."""
        agenda = self._agenda
        end_ms = self._plan.end_ms
        agenda.run_to(now_ms)
        while not self._outgoing and not self._ending and agenda.now_ms < min(until_ms, end_ms):
            agenda.run_to(agenda.next_ms(min(until_ms, end_ms)))
        if agenda.now_ms >= end_ms:
            self._ending = self._ending or "over"
        if self._ending:
            return
        assert self._process is not None
        begun_ms = self.record.lives[-1].begin_ms
        next_ms = agenda.next_ms(end_ms)
        times = struct.pack(">II", agenda.now_ms - begun_ms, max(0, next_ms - begun_ms))
        outgoing, self._outgoing = self._outgoing, []
        self._process.send([*outgoing, (b"t", times)])

    def _tell(self, kind: bytes, body: bytes) -> None:
        self._outgoing.append((kind, body))

    # ---- network

    def _connect(self, number: int, host: int) -> None:
        session = Session(
            number,
            host,
            self._gateways[host],
            self._agenda,
            self._weather,
            self._random,
            self._tell,
        )
        gateway = self._gateways[host]
        if gateway.meter is None:
            record = (self._folder / "nvs" / "keys").read_bytes()
            signing, link = record[1 : 1 + _KEY_BYTES], record[1 + _KEY_BYTES : 1 + 2 * _KEY_BYTES]
            gateway.meter = Meter(signing, link)
            self.record.signing_public = gateway.meter.signing_public
        self._sessions[number] = session
        session.dial()

    def _closed(self, number: int) -> None:
        session = self._sessions.pop(number, None)
        if session is not None:
            session.open = session.subscribed = False
            for gateway in self._gateways:
                if gateway.session is session:
                    gateway.session = None

    def _commit(self) -> None:
        self._agenda.after(COMMIT_EVERY_MS, self._commit)
        if not self._weather.has("no_commits"):
            entries = self._gateways[0].to_commit() | self._gateways[1].to_commit()
            if entries:
                self._ledger.commit(entries)
        for gateway in self._gateways:
            gateway.committed()
            if self._weather.has("acks_forged", gateway.number):
                gateway.forge()

    def _unix_ms(self) -> int:
        return self._unix_offset_ms + self._agenda.now_ms

    # ---- flash and power

    def _write(self, kind: str, body: bytes) -> None:
        """What becomes of a write that is about to happen."""
        verdict = room = 0
        if self._cut_in == kind:
            verdict = CUT
            room = self._random.randrange({"F": 700, "R": 2, "N": body[0] + 1}[kind])
        elif kind == "N" and self._weather.has("store_fails"):
            verdict = EIO
        elif kind != "N" and self._weather.has("write_fails"):
            verdict, room = EIO, self._random.randrange(700)
        elif kind == "F" and self._weather.has("flash_full"):
            verdict, room = ENOSPC, self._random.randrange(300)
        if kind == "F" and self._outbox_bytes() >= FULL_PERCENT * self._plan.outbox_bytes // 100:
            self.record.full.append(self._agenda.now_ms)
        if verdict not in (0, CUT):
            refused = self.record.no_space if verdict == ENOSPC else self.record.refused_writes
            refused.append(self._agenda.now_ms)
        assert self._process is not None
        self._process.send([(b"v", struct.pack(">BH", verdict, room))])

    def _outbox_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self._folder / "outbox").iterdir())

    def _begin(self, fault: Fault) -> None:
        if fault.kind in {kind.name for kind in POWER}:
            self._power(fault.kind)
            return
        if fault.end_ms > fault.begin_ms:
            self._weather.begin(fault)
            self._agenda.at(fault.end_ms, partial(self._end, fault))
        match fault.kind:
            case "babble":
                self._line.begin_babble()
            case "foreign":
                self._line.begin_foreign()
            case "line_lost":
                self._tell(b"l", bytes((line.EIO,)))
            case "broker_restarts":
                for session in self._sessions.values():
                    session.end()
            case "resend":
                for gateway in self._gateways:
                    gateway.resend()
            case "clock_jumps":
                self._unix_offset_ms += self._jump_ms()
            case "rtc_jumps":
                self._jump_rtc()

    def _end(self, fault: Fault) -> None:
        self._weather.end(fault)
        if fault.kind == "line_lost" and not self._weather.has("line_lost"):
            self._tell(b"l", b"\x00")

    def _power(self, kind: str) -> None:
        life = len(self.record.lives)
        match kind:
            case "cut":
                self._ending = "cut"
            case "stop":
                self._tell(b"q", b"")
                self._agenda.after(_STOPS_MS, partial(self._cut_if, life))
            case _:
                self._cut_in = {"cut_in_append": "F", "cut_in_remove": "R", "cut_in_store": "N"}[
                    kind
                ]
                self._agenda.after(_SOON_MS, partial(self._cut_if, life))

    def _cut_if(self, life: int) -> None:
        if life == len(self.record.lives):
            self._ending = "cut"

    def _jump_ms(self) -> int:
        size_ms = round(10 ** self._random.uniform(2.5, 6.5))
        return self._random.choice((-1, 1)) * size_ms

    def _jump_rtc(self) -> None:
        self._rtc_offset_ms = EPOCH_MS + self._jump_ms()
        unix_ms = self._rtc_offset_ms + self._agenda.now_ms
        self._tell(b"r", struct.pack(">Q", unix_ms))
        self.record.clock_told.append((self._agenda.now_ms, None))
