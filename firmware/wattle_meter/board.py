"""What a board provides to the firmware, as base classes that boards and fakes derive from.

The firmware itself imports no machine, esp32, network or termios: everything it touches of the
world around it comes through these.
"""

import io

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from wattle_meter.config import GatewayConfig
    from wattle_meter.fields import Fields
    from wattle_meter.line import Line
    from wattle_meter.signer import Signer
    from wattle_meter.slots import Slots

ERROR, WARNING, INFO, DETAIL = 0, 1, 2, 3  # how important a line of the log is

# Why a meter started (SPEC section 7).
RESET_POWER, RESET_WATCHDOG, RESET_SOFTWARE, RESET_UNKNOWN = 0, 1, 2, 3
RESET_ASKED, RESET_SAMPLING, RESET_SENDING = 4, 5, 6
RESET_CAUSES = 7


class Clock:
    """Time and waiting."""

    def ticks_ms(self) -> int:
        """Milliseconds since some start; monotonic, never wraps, unaffected by the wall clock."""
        raise NotImplementedError

    async def sleep_ms(self, ms: int) -> None:
        """Lets other tasks run for at least `ms` (0: once) milliseconds of ticks_ms."""
        raise NotImplementedError


class Random:
    """A random source fit for keys."""

    def bytes(self, count: int) -> bytes:
        """`count` random bytes. Raises OSError when the source has none to give."""
        raise NotImplementedError

    def below(self, limit: int) -> int:
        """A random integer in 0 .. limit - 1 (limit up to 2^31), even enough for waiting times."""
        return int.from_bytes(self.bytes(4), "big") % limit


class SerialPort:
    """A serial line, opened on first use.

    Every method raises OSError when the line is gone; the next write tries to open it again.
    """

    def write(self, data: bytes) -> None:
        """Hands all of `data` (at most one Modbus frame, 256 bytes) to the driver at once."""
        raise NotImplementedError

    def read_available(self) -> bytes:
        """Takes what has arrived since the last call; b"" if nothing has; never waits."""
        raise NotImplementedError

    async def wait_readable(self, timeout_ms: int) -> bool:
        """Waits until something has arrived (True) or `timeout_ms` have passed (False)."""
        raise NotImplementedError


class Relay:
    """A relay. What it was before it is switched for the first time is not known."""

    def switch(self, on: bool) -> None:
        """Raises OSError if it cannot be."""
        raise NotImplementedError


class Store:
    """A small key-value store that survives power cuts (ESP32: NVS).

    Keys are ASCII of at most 15 characters, values at most 512 bytes. What was set counts only
    after commit(); a cut leaves each key either as it was or as it was set.
    """

    def get(self, key: str) -> bytes | None:
        """The value of `key`, or None."""
        raise NotImplementedError

    def set(self, key: str, value: bytes) -> None:
        """Sets `key`. Raises OSError."""
        raise NotImplementedError

    def commit(self) -> None:
        """Returns when everything set before is safe. Raises OSError."""
        raise NotImplementedError


class Files:
    """A flat directory of files that grow only at their end."""

    def names(self) -> list[str]:
        """Names of all files there, in no order."""
        raise NotImplementedError

    def open(self, name: str) -> io.BufferedReader:
        """`name` for reading from its beginning: read, seek and close. Raises OSError."""
        raise NotImplementedError

    def append(self, name: str, pieces: list[bytes]) -> None:
        """Adds `pieces` at the end of `name`, which is made if absent; returns when they are safe.

        Raises OSError; then, as after a power cut, any number of their first bytes may be there.
        """
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Removes `name`. Raises OSError."""
        raise NotImplementedError


class Stream:
    """A connection to a broker, read and written by one task each."""

    async def read(self, limit: int) -> bytes:
        """At least one and at most `limit` bytes; b"" when the peer has closed. Raises OSError."""
        raise NotImplementedError

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hands `data` over in one piece and waits until the socket took it. Raises OSError."""
        raise NotImplementedError

    async def close(self) -> None:
        """Closes; may be called twice; raises nothing."""
        raise NotImplementedError


class Board:
    """One board. `folder` holds config.json, profiles/ and certificates."""

    clock: Clock
    random: Random
    store: Store
    slots: "Slots"  # of versions
    folder: str
    platform: str  # as the birth message names it
    protection: str  # of the keys: file, sealed or element
    element: "Signer | None" = None  # a secure element for the signing key; None: in the store
    watched: bool  # whether anybody reads what `status` shows
    speed = 1  # uptime milliseconds in a real one: more than one on a bench only

    def uptime_ms(self) -> int:
        """Milliseconds since the start, `speed` times as fast as the clock's ticks."""
        raise NotImplementedError

    def rtc_ms(self) -> int | None:
        """Unix time of a real-time clock or of the host, None if there is none or it has none."""
        raise NotImplementedError

    def eui64(self) -> bytes:
        """The board's own EUI-64 (8 bytes). Raises OSError."""
        raise NotImplementedError

    def outbox(self) -> Files:
        """The directory of the outbox. Raises OSError."""
        raise NotImplementedError

    def serial_port(self, line: "Line", settings: "Fields") -> SerialPort:
        """The line to the metering devices; `settings` is `board` in the configuration, of which
        every key must be known. Raises FieldError.
        """
        raise NotImplementedError

    def relay(self, number: int) -> Relay:
        """Relay `number` (from 0) of the board; after serial_port, which reads where they are.

        Raises FieldError if there is none, OSError.
        """
        raise NotImplementedError

    async def connect(self, gateway: "GatewayConfig", tls_key: bytes) -> Stream:
        """A TLS connection to the gateway's broker; `tls_key` is the meter's, DER.

        Raises OSError; ValueError for certificates that cannot be used.
        """
        raise NotImplementedError

    async def ask(self, host: str, port: int, question: bytes, timeout_ms: int) -> bytes:
        """The answer to one datagram. Raises OSError, also when there is none in time."""
        raise NotImplementedError

    async def stop_requested(self) -> None:
        """Returns when the meter shall stop; on most boards never."""
        raise NotImplementedError

    def log(self, level: int, text: str) -> None:
        """One line about an event; `level` ERROR, WARNING, INFO or DETAIL."""
        raise NotImplementedError

    def status(self, counters: dict[str, object]) -> None:
        """Shows counters to whoever watches the board; called every few seconds."""
        raise NotImplementedError

    def feed_watchdog(self) -> None:
        """The meter gets on: the board need not start anew. Called every second while it does."""

    def reset_cause(self) -> int:
        """Why the board has started: RESET_POWER, _WATCHDOG, _SOFTWARE or _UNKNOWN."""
        return RESET_UNKNOWN

    def rssi_dbm(self) -> int | None:
        """Signal of the wireless network, None without one."""
        return None

    def show(self, reads: bool, sends: bool) -> None:
        """Called every second: whether all devices are read, whether a gateway takes samples."""

    def time_proved(self, unix_ms: int) -> None:
        """A gateway has told the time: a board whose TLS has a clock of its own sets that."""
