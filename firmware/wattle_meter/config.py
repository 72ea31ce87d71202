"""The meter's configuration file, checked as a whole when the board starts.

    {"format": 1, "site": "substation-7", "ledger_id": "<32 hex>", "interval_ms": 1000,
     "gateways": [{"host": "..", "port": 8883, "server_name": "..", "ca": "ca.der",
                   "link_public": "<130 hex>"}],
     "devices": [{"d": 1, "profile": "sdm120", "unit": 1, "ct": [1, 1], "vt": [1, 1],
                  "orient": 1, "quantities": ["ei", "ee", "p"]}],
     "line": {"baud": 9600, "parity": "N", "stop_bits": 1},
     "loads": [{"d": 1, "load": "bench-load", "unit": 9, "rest_w": 3000, "max_w": 3000}],
     "hold_s": 60, "sntp": ["pool.ntp.org"], "members": ["<130 hex>"],
     "outbox_bytes": 1048576, "eui64": "<16 hex>", "board": {..}}

Left out: `eui64` is the board's own, `line` that of the first profile, `ct`, `vt` and `orient`
1, `quantities` all of the profile, `server_name` the host, `sntp` (time servers) none,
`loads` none (firmware/LOADS.md explains their keys), `hold_s` a minute and three intervals,
`members` (block keys of those two of whom sign an update) none.
`board` is what only this kind of board knows (serial port, pins, wireless network); the board
checks it.
"""

import json

from wattle_wire import cose, quantity, sample, topics
from wattle_wire.errors import WireError

from wattle_meter import line, outbox, small_file
from wattle_meter.fields import FieldError, Fields
from wattle_meter.load import WATTS_MAX
from wattle_meter.modbus import UNIT_MAX, UNIT_MIN
from wattle_meter.sntp import SERVERS_MAX

FORMAT = 1
CONFIG_BYTES_MAX = 16384  # parsed in memory; 32 devices and 8 gateways need 8 kB
GATEWAYS_MAX = 8  # their counters share one record of the store
INTERVAL_MS_MIN = 100  # no metering device refreshes its registers faster
INTERVAL_MS_MAX = 3600000
OUTBOX_BYTES_DEFAULT = 1048576
_OUTBOX_BYTES_MAX = 1 << 30
_HOST_CHARS_MAX = 253  # RFC 1035
_NAME_CHARS_MAX = 64
_RATIO_MAX = 1000000
_RELAYS_MAX = 32
_HOLD_S_MAX = 86400
_HOLD_S_DEFAULT = 60  # a broker that restarts and a gateway that is updated take less
_HOLD_INTERVALS_MIN = 2  # acks come with samples: one may be lost
_PUBLIC_BYTES = 65
_MEMBERS_MAX = 32  # of an alliance
ALLIANCE_FILE = "alliance.json"  # of an update (SPEC section 17)


class GatewayConfig:
    """Where a gateway's broker is (`host`, `port`, `server_name` in its certificate, `ca` file
    with the authority's certificate), and who it is (`link_public` 65 bytes, `link_kid` 8).
    """

    def __init__(self, fields: Fields, folder: str) -> None:
        self.host = fields.text("host", _HOST_CHARS_MAX)
        self.port = fields.integer("port", 1, 65535)
        self.server_name = fields.text("server_name", _HOST_CHARS_MAX, self.host)
        self.ca = folder + _file_name(fields, "ca")
        self.link_public = fields.octets("link_public", _PUBLIC_BYTES)
        self.link_kid = cose.kid_of(self.link_public)
        fields.done()


class DeviceConfig:
    """One metering device: `number` 1..32, `unit` on the line, `profile` name, `ct` and `vt`
    transformer ratios [primary, secondary], `orient` 1 or -1, `quantities` or None for all.
    """

    def __init__(self, fields: Fields) -> None:
        self.number = fields.integer("d", 1, sample.DEVICE_MAX)
        self.unit = fields.integer("unit", UNIT_MIN, UNIT_MAX)
        self.profile = _file_name(fields, "profile")
        self.ct = _ratio(fields, "ct")
        self.vt = _ratio(fields, "vt")
        self.orient = fields.integer("orient", -1, 1, 1)
        if self.orient == 0:
            raise fields.error("orient", "1 or -1")
        self.quantities = _quantities(fields, "quantities")
        fields.done()


class LoadConfig:
    """One adjustable load: that of device `number`, of the type in the file `load`, at `unit` of
    the line or on `relay` of the board (the other is None), which rests at `rest_w`. `min_w` and
    `max_w` narrow what the type allows, None as it is.
    """

    def __init__(self, fields: Fields) -> None:
        self.number = fields.integer("d", 1, sample.DEVICE_MAX)
        self.load = _file_name(fields, "load")
        self.unit = _optional(fields, "unit", UNIT_MIN, UNIT_MAX)
        self.relay = _optional(fields, "relay", 0, _RELAYS_MAX - 1)
        self.rest_w = fields.integer("rest_w", -WATTS_MAX, WATTS_MAX)
        self.min_w = _optional(fields, "min_w", -WATTS_MAX, WATTS_MAX)
        self.max_w = _optional(fields, "max_w", -WATTS_MAX, WATTS_MAX)
        fields.done()
        self.fields = fields


class Config:
    """A checked configuration; names as in the file. `line` is None for the profile's own,
    `members` maps the kid of a key to the key (65 bytes).
    """

    def __init__(self, fields: Fields, alliance: Fields | None = None, folder: str = "") -> None:
        """`alliance` has the gateways and members of an update in `folder` (with a slash at its
        end); None: they are in `fields`.
        """
        alliance = alliance or fields
        fields.integer("format", FORMAT, FORMAT)
        self.site = fields.text("site", topics.SITE_CHARS_MAX)
        try:
            topics.check_site(self.site)
        except WireError:
            raise fields.error("site", "only a-z, 0-9 and -") from None
        self.ledger_id = fields.octets("ledger_id", cose.LEDGER_ID_BYTES)
        self.eui64 = None if fields.get("eui64") is None else fields.octets("eui64", 8)
        self.interval_ms = fields.integer("interval_ms", INTERVAL_MS_MIN, INTERVAL_MS_MAX)
        self.outbox_bytes = fields.integer(
            "outbox_bytes", outbox.CAPACITY_BYTES_MIN, _OUTBOX_BYTES_MAX, OUTBOX_BYTES_DEFAULT
        )
        self.time_servers = fields.texts("sntp", 0, SERVERS_MAX, _HOST_CHARS_MAX)
        self.line = None if fields.get("line") is None else line.read(fields.child("line"))
        rows = alliance.children("gateways", 1, GATEWAYS_MAX)
        self.gateways = [GatewayConfig(row, folder) for row in rows]
        self.members = _members(alliance)
        fields.get("gateways")
        fields.get("members")
        rows = fields.children("devices", 1, sample.DEVICE_MAX)
        self.devices = [DeviceConfig(row) for row in rows]
        self.devices.sort(key=_number)
        rows = fields.children("loads", 0, sample.DEVICE_MAX)
        self.loads = [LoadConfig(row) for row in rows]
        _check_loads(fields, self.loads, self.devices)
        interval_s = -(-self.interval_ms // 1000)
        self.hold_ms = 1000 * fields.integer(
            "hold_s",
            _HOLD_INTERVALS_MIN * interval_s,
            _HOLD_S_MAX,
            _HOLD_S_DEFAULT + (_HOLD_INTERVALS_MIN + 1) * interval_s,
        )
        _check_unique(fields, [device.number for device in self.devices])
        _check_unique(fields, [device.unit for device in self.devices])
        self.board = fields.child("board")
        fields.done()
        alliance.done()


def load(folder: str, settings: str = "") -> Config:
    """Reads and checks config.json in the board's `folder`, and alliance.json in its subfolder
    `settings` ("": there is none).

    Raises FieldError, FileTooLargeError, OSError.
    """
    data = small_file.read(folder + "/config.json", CONFIG_BYTES_MAX)
    if not settings:
        return parse(data, "config.json")
    settings += "/"
    other = small_file.read(folder + "/" + settings + ALLIANCE_FILE, CONFIG_BYTES_MAX)
    return parse(data, "config.json", _fields(other, ALLIANCE_FILE), settings)


def parse(data: bytes, source: str, alliance: Fields | None = None, folder: str = "") -> Config:
    """Checks the JSON text `data`; `source` names it in errors, `alliance` and `folder` as in
    Config. Raises FieldError.
    """
    return Config(_fields(data, source), alliance, folder)


def _fields(data: bytes, source: str) -> Fields:
    try:
        top = json.loads(data)
    except (ValueError, UnicodeError):
        raise FieldError("%s: not JSON" % source) from None
    return Fields(top, source + ":")


def _number(device: DeviceConfig) -> int:
    return device.number


def _check_unique(fields: Fields, values: list[int]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise fields.error("devices", "each d and each unit once, but %d stands twice" % value)


def _check_loads(fields: Fields, loads: list[LoadConfig], devices: list[DeviceConfig]) -> None:
    numbers = [load.number for load in loads]
    known = [device.number for device in devices]
    for number in numbers:
        if number not in known or numbers.count(number) > 1:
            raise fields.error("loads", "each d once and one of the devices, not %d" % number)


def _optional(fields: Fields, key: str, low: int, high: int) -> int | None:
    return None if fields.get(key) is None else fields.integer(key, low, high)


def _file_name(fields: Fields, key: str) -> str:
    """A name in one of the board's own folders: it must not lead out of there."""
    name = fields.text(key, _NAME_CHARS_MAX)
    if "/" in name or name.startswith("."):
        raise fields.error(key, "a file name without path")
    return name


def _members(fields: Fields) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for value in fields.items("members", 0, _MEMBERS_MAX):
        row = Fields({"key": value}, "members:")
        public = row.octets("key", _PUBLIC_BYTES)
        found[cose.kid_of(public)] = public
    return found


def _ratio(fields: Fields, key: str) -> list[int]:
    return [1, 1] if fields.get(key) is None else fields.integers(key, 1, _RATIO_MAX, 2, 2)


def _quantities(fields: Fields, key: str) -> list[str] | None:
    if fields.get(key) is None:
        return None
    names: list[str] = []
    for name in fields.items(key, 1, len(quantity.names())):
        if not isinstance(name, str) or name not in quantity.names() or name in names:
            raise fields.error(key, "names of quantities, each once")
        names.append(name)
    return names
