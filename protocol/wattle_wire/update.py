"""Reads updates and their chunks (SPEC section 17); the half that a board needs."""

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import LimitError, MalformedError

CHUNK_BYTES_MAX = 1024
PAYLOAD_BYTES_MAX = 1536
MESSAGE_BYTES_MAX = 3584  # a board takes packets of 4 KiB
FILES_MAX = 10  # an image, alliance.json, the authorities of eight gateways
NAME_CHARS_MAX = 64
VERSION_MAX = (1 << 53) - 1

FIRMWARE = "firmware.rom"
ALLIANCE = "alliance.json"
FIRMWARE_BYTES_MAX = 262144
SETTINGS_BYTES_MAX = 16384

# What a meter says of an update
RECEIVING = 0
TRIAL = 1
CONFIRMED = 2
ROLLED_BACK = 3
OLDER = 4
MALFORMED = 5
SIGNATURE = 6
BOARD = 7
ROOM = 8
ALTERED = 9
FLASH = 10
LOST = 11

HASH_BYTES = 32
_FILE_NAME_CHARS_MAX = 32
_FILE_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789.-"
_ARRAY_OF_2 = 0x82


class Update:
    """What was signed: `version`, `name`, `board`, `first` (hash of the first chunk, 32 bytes),
    `files` [[name, size, digest]] in the order of the stream.
    """

    __slots__ = ("board", "files", "first", "name", "version")

    def __init__(
        self, version: int, name: str, board: str, first: bytes, files: list[tuple[str, int, bytes]]
    ) -> None:
        self.version = version
        self.name = name
        self.board = board
        self.first = first
        self.files = files


def decode(payload: bytes) -> Update:
    """The update in a payload; MalformedError (or its kinds) if it is none."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise LimitError("update of %d bytes, at most %d" % (len(payload), PAYLOAD_BYTES_MAX))
    row = structure.array(cbor.decode(payload), 5, "update")
    version = structure.uint(row[0], "version", VERSION_MAX)
    name = structure.text(row[1], NAME_CHARS_MAX, "name")
    board = row[2]
    files: list[tuple[str, int, bytes]] = []
    for item in structure.items(row[4], FILES_MAX, "files"):
        files.append(_file(item, [file[0] for file in files]))
    has_firmware = FIRMWARE in [file[0] for file in files]
    boards = ("linux", "esp32") if has_firmware else ("",)
    if not version or not files or not isinstance(board, str) or board not in boards:
        raise MalformedError("update without version or files, or for board %r" % (board,))
    return Update(version, name, board, structure.octets(row[3], HASH_BYTES, "first chunk"), files)


def _file(item: object, names: list[str]) -> tuple[str, int, bytes]:
    row = structure.array(item, 3, "file")
    name = structure.text(row[0], _FILE_NAME_CHARS_MAX, "file name")
    for char in name:
        if char not in _FILE_NAME_CHARS:
            raise MalformedError("file name %r, expected a-z, 0-9, dot and hyphen" % name)
    if name[0] in ".-" or name in names:
        raise MalformedError("file name %r begins so, or stands twice" % name)
    size = structure.uint(row[1], "file size", FIRMWARE_BYTES_MAX)
    if not size:
        raise MalformedError("file %r is empty" % name)
    return name, size, structure.octets(row[2], HASH_BYTES, "file digest")


def split(message: bytes) -> tuple[bytes, bytes]:
    """The two COSE_Sign1 in an update message, as bytes. Raises MalformedError."""
    if len(message) > MESSAGE_BYTES_MAX or message[:1] != bytes((_ARRAY_OF_2,)):
        raise MalformedError("not an array of two of at most %d bytes" % MESSAGE_BYTES_MAX)
    _, middle = cbor.decode_first(message, 1)
    _, end = cbor.decode_first(message, middle)
    if end != len(message):
        raise MalformedError("bytes behind an update")
    return message[1:middle], message[middle:]


def open_pair(ledger_id: bytes, message: bytes) -> tuple[Update, list[cose.Signed]]:
    """(update, its two signatures, not verified yet) of an update message.

    Raises MalformedError unless both are over the same payload by different kids, SignatureError
    for a signature that is not low-S.
    """
    one, other = [cose.parse_sign1("update", ledger_id, raw) for raw in split(message)]
    if one.payload != other.payload or one.kid == other.kid:
        raise MalformedError("an update by two members over the same bytes was expected")
    return decode(one.payload), [one, other]


def decode_chunk(message: bytes) -> tuple[int, bytes, bytes]:
    """(offset, hash of the next chunk or b"", data) of a chunk; MalformedError if it is none."""
    row = structure.array(cbor.decode(message), 3, "chunk")
    offset = structure.uint(row[0], "offset")
    following, data = row[1], row[2]
    if not isinstance(following, bytes) or len(following) not in (0, HASH_BYTES):
        raise MalformedError("next hash is not a byte string of 0 or %d" % HASH_BYTES)
    if not isinstance(data, bytes) or not 1 <= len(data) <= CHUNK_BYTES_MAX:
        raise MalformedError("data is not a byte string of 1 to %d" % CHUNK_BYTES_MAX)
    return offset, following, data
