"""Commands of gateways: each counter is used once, and the meter remembers that (SPEC 8)."""

from wattle_wire import cbor, downlink, structure
from wattle_wire.errors import WireError

from wattle_meter.board import Store
from wattle_meter.errors import MeterError

_KEY = "commands"


class CommandError(MeterError):
    """An authentic command that is not carried out."""


class Commands:
    """The highest counter of each gateway, kept in `store`; `kids` are those of their link keys.

    `counts` says how many commands of each outcome there were.
    """

    def __init__(self, store: Store, kids: list[bytes]) -> None:
        self._store = store
        self._counters = dict.fromkeys(kids, 0)
        self.counts = {"carried_out": 0, "replayed": 0, "refused": 0}
        stored = store.get(_KEY)
        for kid, counter in _rows(stored) if stored else ():
            if kid in self._counters:
                self._counters[kid] = counter

    def accept(self, kid: bytes, payload: bytes) -> tuple[int, list[object]]:
        """(kind, body) of a command whose MAC by gateway `kid` was verified.

        The counter is safe before the command is carried out: a power cut may lose a command,
        it never repeats one. The caller counts what becomes of it. Raises CommandError for a
        counter that does not rise, WireError for a body of another form, OSError.
        """
        counter, kind, body = downlink.decode_command(payload)
        if counter <= self._counters[kid]:
            self.counts["replayed"] += 1
            raise CommandError(
                "command counter %d, expected more than %d" % (counter, self._counters[kid])
            )
        self._counters[kid] = counter
        self._store.set(_KEY, cbor.encode([list(row) for row in self._counters.items()]))
        self._store.commit()
        return kind, body


def _rows(stored: bytes) -> list[tuple[bytes, int]]:
    """A damaged record counts as none: the gateway's counter is its clock, far above zero."""
    try:
        rows = structure.items(cbor.decode(stored), cbor.ITEMS_MAX, "counters")
        return [
            (
                structure.octets(structure.array(row, 2, "counter")[0], 8, "kid"),
                structure.uint(structure.array(row, 2, "counter")[1], "counter"),
            )
            for row in rows
        ]
    except WireError:
        return []
