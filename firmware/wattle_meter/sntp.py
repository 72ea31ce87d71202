"""Time from an SNTP server (RFC 4330): questions, answers, and when to ask.

Nobody authenticates it, so it only ever informs the clock (state I), and not at all once a gateway
has set it. An answer must repeat a random number: that keeps out whoever cannot see the question.
"""

from wattle_meter.backoff import Backoff
from wattle_meter.board import DETAIL, INFO, Board
from wattle_meter.clock import WallClock
from wattle_meter.errors import MeterError

PORT = 123
SERVERS_MAX = 4
ANSWER_MS = 2000
# A public server may be asked this often at most (RFC 4330 section 10: never within 15 s).
AGAIN_AFTER_MS = 1800000
RETRY_BASE_MS = 20000
RETRY_CEILING_MS = 900000

_PACKET_BYTES = 48
_NONCE_BYTES = 8
_CLIENT_V4 = 0x23  # leap 0, version 4, mode 3
_SERVER = 4
_UNSYNCHRONISED = 3
_STRATUM_MAX = 15  # 0 is a kiss-o'-death, 16 unsynchronised
_EPOCH_1970_S = 2208988800  # 1970-01-01 in seconds since 1900
_ERA_S = 1 << 32


class SntpError(MeterError):
    """An answer that tells no time."""


def request(nonce: bytes) -> bytes:
    """The packet that asks; `nonce` (8 random bytes) stands where our own time would."""
    return bytes((_CLIENT_V4,)) + bytes(_PACKET_BYTES - 1 - _NONCE_BYTES) + nonce


def unix_ms(packet: bytes, nonce: bytes) -> int:
    """The time at which a server sent `packet`. Raises SntpError."""
    if len(packet) < _PACKET_BYTES:
        raise SntpError("%d bytes, expected %d" % (len(packet), _PACKET_BYTES))
    if packet[0] & 7 != _SERVER or packet[24:32] != nonce:
        raise SntpError("no answer to our question")
    if packet[0] >> 6 == _UNSYNCHRONISED or not 1 <= packet[1] <= _STRATUM_MAX:
        raise SntpError("the server has no time (stratum %d)" % packet[1])
    seconds = int.from_bytes(packet[40:44], "big")
    fraction = int.from_bytes(packet[44:48], "big")
    if not seconds:
        raise SntpError("the server has no time")
    if seconds < _ERA_S >> 1:
        seconds += _ERA_S  # RFC 4330 section 3: from 2036 on the count begins again
    return (seconds - _EPOCH_1970_S) * 1000 + (fraction * 1000 >> 32)


class TimeServers:
    """Asks `hosts` in turn while no gateway has set the clock; `clock_set(jump_ms)` hears of it.

    `counts`: answers taken and questions in vain.
    """

    def __init__(  # type: ignore[no-untyped-def]
        self, board: Board, hosts: list[str], wall: WallClock, clock_set
    ) -> None:
        self._board = board
        self._hosts = hosts
        self._wall = wall
        self._clock_set = clock_set
        self._next = 0
        self.counts = {"sntp_answers": 0, "sntp_failures": 0}

    async def run(self) -> None:
        """Asks whenever it is time, for ever."""
        backoff = Backoff(self._board.random, RETRY_BASE_MS, RETRY_CEILING_MS)
        while True:
            if not self._wall.is_informable() or await self._ask():
                backoff.succeeded()
                wait_ms = AGAIN_AFTER_MS
            else:
                wait_ms = backoff.next_ms()
            await self._board.clock.sleep_ms(wait_ms)

    async def _ask(self) -> bool:
        host = self._hosts[self._next]
        nonce = self._board.random.bytes(_NONCE_BYTES)
        asked = self._board.clock.ticks_ms()
        try:
            packet = await self._board.ask(host, PORT, request(nonce), ANSWER_MS)
            server_ms = unix_ms(packet, nonce)
        except (SntpError, OSError) as error:
            self.counts["sntp_failures"] += 1
            self._next = (self._next + 1) % len(self._hosts)
            self._board.log(DETAIL, "time server %s: %r" % (host, error))
            return False
        # Half of the way there and back lies behind the server's look at its clock.
        half_ms = (self._board.clock.ticks_ms() - asked) // 2
        self.counts["sntp_answers"] += 1
        jump_ms = self._wall.inform(self._board.uptime_ms(), server_ms + half_ms)
        self._board.log(INFO, "time server %s: clock moved by %d ms" % (host, jump_ms))
        self._clock_set(jump_ms)
        return True
