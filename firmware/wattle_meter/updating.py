"""Updates (SPEC section 17): verified, written beside what runs, read back, then tried.

What comes is a stranger's bytes until two members' signatures hold; from then on each chunk is
known before it comes. Everything yields, so that no read waits for it, and no more than one
message is in hand.
"""

import asyncio
import hashlib

from wattle_wire import p256, update
from wattle_wire.errors import MalformedError, WireError

from wattle_meter.board import INFO, WARNING, Board
from wattle_meter.errors import MeterError
from wattle_meter.version import Versions

TRIAL_MS = 600000  # SPEC section 17, as are the next two
ASK_EVERY_MS = 10000
GIVE_UP_AFTER_MS = 3600000
_UPDATE, _CHUNK = b"\x82", b"\x83"  # an array of two or three: no COSE_Mac0 begins so


class RefusedError(MeterError):
    """An update that is not taken; `code` of SPEC section 17 says why."""

    def __init__(self, version: int, code: int, text: str) -> None:
        super().__init__(text)
        self.version = version
        self.code = code


def is_update(message: bytes) -> bool:
    """Whether a message on `cmd` is for Updater.take."""
    return message[:1] in (_UPDATE, _CHUNK)


class Updater:
    """Takes updates for `board`, signed under `ledger_id` by two of `members` (65 bytes each).

    `news`: (version, code, offset) for the state, or None; `tell()` is called when it changed.
    `restart` is set when the board shall start anew, after an orderly end. One task: run().
    """

    def __init__(
        self, board: Board, ledger_id: bytes, members: dict[bytes, bytes], versions: Versions
    ) -> None:
        self._board = board
        self._ledger_id = ledger_id
        self._members = members
        self._versions = versions
        self._started_ms = board.uptime_ms()
        self._message = b""
        self._work = asyncio.Event()
        self._coming: _Coming | None = None
        self.news = versions.news()
        self.restart = asyncio.Event()
        self.tell = _nobody

    def take(self, message: bytes) -> None:
        """A message of an update; one that comes while another is in hand is dropped: what it was
        is asked for again.
        """
        if not self._message:
            self._message = message
            self._work.set()

    async def run(self) -> None:
        """Works on what was taken, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                if self._message[:1] == _UPDATE:
                    await self._begin(self._message)
                else:
                    await self._chunk(self._message)
            except RefusedError as error:
                self._drop(error.version, error.code, str(error))
            except OSError as error:
                version = 0 if self._coming is None else self._coming.update.version
                self._drop(version, update.FLASH, str(error))
            finally:
                self._message = b""

    def service(self, has_proof: bool) -> None:
        """Call every second. `has_proof`: a sample that this start has signed is durable."""
        versions, now_ms = self._versions, self._board.clock.ticks_ms()
        if versions.on_trial:
            if has_proof:
                versions.confirm()
                self._board.log(INFO, "update: %d has proved itself" % versions.running)
                self._say(versions.news())
            elif self._board.uptime_ms() - self._started_ms >= TRIAL_MS:
                versions.give_up()
                self._board.log(WARNING, "update: %d gets no sample through" % versions.running)
                self.restart.set()
        elif self._coming is not None:
            if now_ms - self._coming.moved_at >= GIVE_UP_AFTER_MS:
                self._drop(self._coming.update.version, update.LOST, "an hour without progress")
            elif now_ms - self._coming.asked_at >= ASK_EVERY_MS:
                self._ask(self._coming)

    async def _begin(self, message: bytes) -> None:
        """An update message. Raises RefusedError, OSError."""
        if self._versions.on_trial or self.restart.is_set():
            return  # the free slot holds what we may have to go back to, or are about to start
        try:
            what, signatures = update.open_pair(self._ledger_id, message)
        except MalformedError as error:
            raise RefusedError(0, update.MALFORMED, str(error)) from None
        except WireError as error:
            raise RefusedError(0, update.SIGNATURE, str(error)) from None
        coming = self._coming
        if coming is not None and what.version <= coming.update.version:
            self._ask(coming)
            return
        if what.version <= self._versions.tried:
            text = "version %d, %d was started" % (what.version, self._versions.tried)
            raise RefusedError(what.version, update.OLDER, text)
        try:
            for signed in signatures:
                public = self._members.get(signed.kid)
                if public is None:
                    raise MalformedError("%s is no member we know" % signed.kid.hex())
                for _ in p256.verify_steps(public, signed.digest, signed.signature):
                    await self._board.clock.sleep_ms(0)
        except WireError as error:
            raise RefusedError(what.version, update.SIGNATURE, str(error)) from None
        if what.board not in ("", self._board.platform.split(",")[0]):
            raise RefusedError(what.version, update.BOARD, "for %s" % what.board)
        self._board.log(INFO, "update: %d (%s) begins" % (what.version, what.name))
        self._coming = _Coming(what, self._board, self._versions.free())
        self._coming.open_file()
        self._ask(self._coming)

    async def _chunk(self, message: bytes) -> None:
        """A chunk. Raises RefusedError, OSError."""
        coming = self._coming
        if coming is None or hashlib.sha256(message).digest() != coming.expected:
            return  # asked for twice, or nobody's
        version = coming.update.version
        try:
            _, following, data = update.decode_chunk(message)
            coming.write(data)
        except MalformedError as error:
            raise RefusedError(version, update.MALFORMED, str(error)) from None
        coming.expected = following
        coming.moved_at = self._board.clock.ticks_ms()
        if following:
            self._ask(coming)
            return
        for file in coming.update.files:
            if await coming.digest(file[0]) != file[2]:
                raise RefusedError(version, update.ALTERED, "%s read back differs" % file[0])
        names = [file[0] for file in coming.update.files]
        has_firmware = update.FIRMWARE in names
        self._versions.try_next(version, has_firmware, len(names) > has_firmware)
        self._coming = None
        self._board.log(INFO, "update: %d is whole, starting it" % version)
        self.restart.set()

    def _ask(self, coming: "_Coming") -> None:
        coming.asked_at = self._board.clock.ticks_ms()
        self._say((coming.update.version, update.RECEIVING, coming.offset))

    def _drop(self, version: int, code: int, text: str) -> None:
        self._board.log(WARNING, "update: %d not taken: %s" % (version, text))
        if self._coming is not None and version == self._coming.update.version:
            self._coming = None
        if self._coming is None:
            self._say((version, code, 0))

    def _say(self, news: tuple[int, int, int] | None) -> None:
        self.news = news
        self.tell()


class _Coming:
    """An update whose signatures hold, as far as it has come."""

    def __init__(self, what: update.Update, board: Board, free: tuple[int, int]) -> None:
        self.update = what
        self.expected = what.first  # hash of the chunk that is next
        self.offset = 0
        self.moved_at = self.asked_at = board.clock.ticks_ms()
        self._board = board
        self._free = free
        self._at = 0  # which file
        self._left = 0  # bytes of it to come

    def open_file(self) -> None:
        """Makes ready for the next file, if there is one. Raises RefusedError, OSError."""
        if self._at == len(self.update.files):
            return
        name, size, _ = self.update.files[self._at]
        if not self._board.slots.begin(self._slot(name), name, size):
            raise RefusedError(self.update.version, update.ROOM, "no room for %s" % name)
        self._left = size

    def write(self, data: bytes) -> None:
        """Adds `data` of the stream. Raises MalformedError, RefusedError, OSError."""
        self.offset += len(data)
        while data:
            if self._at == len(self.update.files):
                raise MalformedError("a stream longer than its files")
            part = data[: self._left]
            self._board.slots.write(part)
            self._left -= len(part)
            data = data[len(part) :]
            if not self._left:
                self._board.slots.end()
                self._at += 1
                self.open_file()

    async def digest(self, name: str) -> bytes:
        """SHA-256 of a file as it is read back. Raises OSError."""
        found = hashlib.sha256()
        offset = 0
        while True:
            data = self._board.slots.read(self._slot(name), name, offset)
            if not data:
                return bytes(found.digest())
            found.update(data)
            offset += len(data)
            await self._board.clock.sleep_ms(0)

    def _slot(self, name: str) -> int:
        return self._free[0 if name == update.FIRMWARE else 1]


def _nobody() -> None:
    """Who is told before the link is there."""
