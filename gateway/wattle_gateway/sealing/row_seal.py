"""What a row is sealed with, and how a connection to a sealed database reads as a plain one.

A sealed value is `key number (2 bytes) || nonce (12) || AES-256-GCM ciphertext || tag (16)`; its
associated data is the name of the table and what names the row, so that no row can be put in the
place of another. Nonces are random; `SEALS_A_KEY_MAX` bounds them.

A meter's id in a key column becomes an alias, one AES block under the names key: the same meter
always has the same, so that looking up (meter, seq) and walking a meter's seqs stay searches in
the index, and who has no key learns how many rows a meter has but not which meter it is.

Every temporary view made here stands in the way of the table of its name: whoever reads it gets
opened rows, whoever writes to it by mistake gets an error. Writers name `main.<table>`.
"""

import hmac
import secrets
import sqlite3
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wattle_gateway.errors import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
NUMBER_BYTES = 2
OVERHEAD_BYTES = NUMBER_BYTES + NONCE_BYTES + TAG_BYTES
# NIST SP 800-38D section 8.3: at most 2^32 invocations under one key with random 96-bit nonces.
SEALS_A_KEY_MAX = 1 << 32
# Meters whose aliases are remembered: more than any gateway serves; the rest cost one AES block.
_ALIASES_KEPT = 1 << 14
_KID_BYTES = 8
_ALIAS_MARK = b"wattle/1"  # the other half of the block: what opens to anything else is no alias
_HIDDEN_KEY_BYTES = 16
_LENGTH_BYTES = 4

_FUNCTION_FAILED = "user-defined function raised exception"
_thread = threading.local()
_SqlValue = bytes | str | None


class PlainRows:
    """Of a database that is not sealed: everything stands as it is."""

    def close(self, table: str, row: bytes, value: bytes) -> bytes:
        """The value as it is stored."""
        return value

    def alias(self, kid: bytes) -> bytes:
        """A meter as it stands in a key column."""
        return kid

    def pair(self, table: str, key: bytes, value: bytes) -> tuple[bytes, bytes]:
        """A row of a table of keys and values, as it is stored."""
        return key, value

    def hidden(self, table: str, key: bytes) -> bytes:
        """The key of such a row as it is stored."""
        return key

    def open_pair(self, table: str, hidden: bytes, value: bytes) -> tuple[bytes, bytes]:
        """Key and value of a stored row."""
        return hidden, value

    def message(self, at_ms: int, reason: int, topic: str, body: bytes) -> tuple[str, bytes]:
        """Topic and body of a refused message, as they are stored."""
        return topic, body

    def record(self, column: str, kid: bytes, value: bytes | None) -> bytes | None:
        """What a meter showed of itself, as it is stored."""
        return value


class RowSeal(PlainRows):
    """Seals and opens rows under the data keys of one gateway; for any thread."""

    def __init__(
        self,
        keys: Mapping[int, bytes],
        active: int,
        names_key: bytes,
        spend: Callable[[], tuple[int, Mapping[int, bytes]] | None] | None = None,
        reload: Callable[[], Mapping[int, bytes]] | None = None,
    ) -> None:
        """`keys` by number. `spend` is asked before each value is sealed: the number to seal under
        and all keys, if they have changed, else None. `reload` gives all keys again, for a number
        that is not known: another process has made a new one."""
        self._ciphers = {number: AESGCM(key) for number, key in keys.items()}
        self.active = active
        self._block = Cipher(algorithms.AES(names_key), modes.ECB())
        self._hiding_key = sha256(b"wattle/1/hidden" + names_key).digest()
        self._spend = spend
        self._reload = reload
        self.alias = lru_cache(_ALIASES_KEPT)(self._alias)  # type: ignore[method-assign]
        self.kid_of = lru_cache(_ALIASES_KEPT)(self._kid_of)

    def learn(self, keys: Mapping[int, bytes], active: int) -> None:
        """Seal under `active` from now on, and open what any of `keys` has sealed, too. Older ones
        stay: who reads a moment long ago still meets their rows."""
        self._ciphers = self._ciphers | {number: AESGCM(key) for number, key in keys.items()}
        self.active = active

    def close(self, table: str, row: bytes, value: bytes) -> bytes:
        """The value of a row, sealed."""
        if self._spend is not None and (changed := self._spend()) is not None:
            self.learn(changed[1], changed[0])
        number = self.active
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[number].encrypt(nonce, value, _bound(table, row))
        return number.to_bytes(NUMBER_BYTES, "big") + nonce + sealed

    def open(self, table: str, row: bytes, sealed: bytes) -> bytes:
        """What `close` was given; StoreError for a value that is damaged or of another row."""
        number = int.from_bytes(sealed[:NUMBER_BYTES], "big")
        cipher = self._ciphers.get(number)
        if cipher is None and self._reload is not None:
            self.learn(self._reload(), self.active)
            cipher = self._ciphers.get(number)
        if cipher is None or len(sealed) < OVERHEAD_BYTES:
            raise StoreError(f"{_place(table, row)}: sealed under key {number}, which is not known")
        nonce = sealed[NUMBER_BYTES : NUMBER_BYTES + NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[NUMBER_BYTES + NONCE_BYTES :], _bound(table, row))
        except InvalidTag:
            raise StoreError(
                f"{_place(table, row)}: does not open under key {number}: damaged, or put there "
                "from another row"
            ) from None

    def _alias(self, kid: bytes) -> bytes:
        assert len(kid) == _KID_BYTES
        return self._block.encryptor().update(kid + _ALIAS_MARK)

    def _kid_of(self, alias: bytes) -> bytes:
        """The meter of an alias; StoreError for what is none."""
        block = self._block.decryptor().update(alias)
        if len(block) != _KID_BYTES + len(_ALIAS_MARK) or block[_KID_BYTES:] != _ALIAS_MARK:
            raise StoreError(f"{alias.hex()}: no alias of a meter under this keyring")
        return block[:_KID_BYTES]

    def hidden(self, table: str, key: bytes) -> bytes:
        """A key that looks up a row and says nothing to others: HMAC-SHA-256, cut to 16 bytes."""
        name = table.encode() + b"\0" + key
        return hmac.digest(self._hiding_key, name, "sha256")[:_HIDDEN_KEY_BYTES]

    def pair(self, table: str, key: bytes, value: bytes) -> tuple[bytes, bytes]:
        """The key hidden; key and value sealed."""
        hidden = self.hidden(table, key)
        content = len(key).to_bytes(_LENGTH_BYTES, "big") + key + value
        return hidden, self.close(table, hidden, content)

    def open_pair(self, table: str, hidden: bytes, value: bytes) -> tuple[bytes, bytes]:
        """Key and value of a stored row. StoreError for a damaged one."""
        return _split(self.open(table, hidden, value))

    def message(self, at_ms: int, reason: int, topic: str, body: bytes) -> tuple[str, bytes]:
        """The topic names a meter: it is sealed with the body."""
        raw = topic.encode(errors="surrogateescape")
        content = len(raw).to_bytes(_LENGTH_BYTES, "big") + raw + body
        return "", self.close("quarantine", b"%d %d" % (at_ms, reason), content)

    def open_message(self, at_ms: int, reason: int, sealed: bytes) -> tuple[str, bytes]:
        """Topic and body of a refused message. StoreError for a damaged one."""
        topic, body = _split(self.open("quarantine", b"%d %d" % (at_ms, reason), sealed))
        return topic.decode(errors="surrogateescape"), body

    def record(self, column: str, kid: bytes, value: bytes | None) -> bytes | None:
        """What a meter showed of itself, sealed."""
        return None if value is None else self.close(f"seen.{column}", self.alias(kid), value)


PLAIN = PlainRows()


class SealedConnection(sqlite3.Connection):
    """A connection to a sealed database."""

    seal: RowSeal


def of(connection: sqlite3.Connection) -> PlainRows:
    """What rows written over this connection are sealed with."""
    return connection.seal if isinstance(connection, SealedConnection) else PLAIN


def number_of(sealed: bytes) -> int:
    """The number of the data key that a value is sealed under."""
    return int.from_bytes(sealed[:NUMBER_BYTES], "big")


def told(error: Exception) -> str:
    """What was wrong: of a row that did not open, SQLite says only that a function failed."""
    failure: str = getattr(_thread, "failure", "")
    return failure if failure and _FUNCTION_FAILED in str(error) else str(error)


def _split(content: bytes) -> tuple[bytes, bytes]:
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "big")
    return content[_LENGTH_BYTES:end], content[end:]


def _bound(table: str, row: bytes) -> bytes:
    return b"wattle/1/" + table.encode() + b"\0" + row


def _place(table: str, row: bytes) -> str:
    name = row.decode() if row.isascii() and row.decode().isprintable() else row.hex()
    return f"{table} row {name}"


_STATE = "SELECT opened_key('{0}', key, value) AS key, opened_value('{0}', key, value) AS value"
VIEWS = (
    "entries AS SELECT id, opened('entries', id, body) AS body",
    f"state AS {_STATE.format('state')}",
    f"base_state AS {_STATE.format('base_state')}",
    "base_parts AS SELECT place, opened('base_parts', place, body) AS body",
    "samples AS SELECT kid_of(meter) AS meter, seq, leaf, first_ms, last_ms",
    "totals AS SELECT kid_of(meter) AS meter, samples, last_seq, last_ms",
    "classes AS SELECT kid_of(meter) AS meter, class, count",
    "pool AS SELECT id, kind, kid_of(meter) AS meter, seq, digest, first_ms, last_ms, "
    "opened('pool', digest, body) AS body",
    "quarantine AS SELECT id, at_ms, reason, opened_topic(at_ms, reason, body) AS topic, "
    "opened_body(at_ms, reason, body) AS body",
    "seen AS SELECT kid_of(meter) AS meter, at_ms, clock, boot, connections, flaps, repeats, "
    "opened('seen.birth', meter, birth) AS birth, health_ms, "
    "opened('seen.health', meter, health) AS health, before_ms, "
    "opened('seen.health_before', meter, health_before) AS health_before",
)


def row_name(value: object) -> bytes:
    """What names a row in associated data: its number in digits, or its key."""
    return value if isinstance(value, bytes) else b"%d" % value if isinstance(value, int) else b""


def attach(connection: SealedConnection, seal: RowSeal) -> None:
    """Make the connection read opened rows. Raises sqlite3.Error."""
    connection.seal = seal

    def opened(table: str, row: object, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else seal.open(table, row_name(row), sealed)

    for name, arguments, function in (
        ("opened", 3, opened),
        ("opened_key", 3, lambda table, key, value: seal.open_pair(table, key, value)[0]),
        ("opened_value", 3, lambda table, key, value: seal.open_pair(table, key, value)[1]),
        ("kid_of", 1, lambda alias: None if alias is None else seal.kid_of(alias)),
        ("opened_topic", 3, lambda at_ms, reason, body: seal.open_message(at_ms, reason, body)[0]),
        ("opened_body", 3, lambda at_ms, reason, body: seal.open_message(at_ms, reason, body)[1]),
    ):
        connection.create_function(name, arguments, _telling(function), deterministic=True)
    # Sorting may spill: never into a file.
    connection.execute("PRAGMA temp_store = MEMORY")
    tables = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master")}
    for view in VIEWS:
        name = view.partition(" ")[0]
        if name in tables:
            connection.execute(f"CREATE TEMP VIEW {view} FROM main.{name}")


def _telling(function: Callable[..., _SqlValue]) -> Callable[..., _SqlValue]:
    """The function, which leaves word of why it failed (`told`)."""

    def telling(*arguments: object) -> _SqlValue:
        try:
            return function(*arguments)
        except StoreError as error:
            _thread.failure = str(error)
            raise

    return telling
