"""Reading one JSON object whose keys are all known: what is wrong is named with its place."""

from wattle_meter.errors import MeterError


class FieldError(MeterError):
    """A value that is missing, unknown or not as expected; names place, found and expected."""


class Fields:
    """The object `value`; `place` (file name and key, e.g. "config.json: line") names it in errors.

    Every get_* takes a key and gives its checked value, or `default` (unless that is None) when
    the key is absent. `done` refuses keys that nobody asked for: a misspelt key must not pass
    for its default. All raise FieldError.
    """

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise FieldError("%s: %s, expected an object" % (place.rstrip(":"), shown(value)))
        self._table: dict[str, object] = value
        self._place = place
        self._asked: set[str] = set()

    def get(self, key: str) -> object:
        """The value of `key` as it is, None when absent."""
        self._asked.add(key)
        return self._table.get(key)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(key, "an integer %d to %d" % (low, high))
        return value

    def text(self, key: str, most: int, default: str | None = None) -> str:
        value = self.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            raise self.error(key, "a text of 1 to %d characters" % most)
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in allowed:
            raise self.error(key, "one of " + ", ".join(allowed))
        return value

    def octets(self, key: str, size: int) -> bytes:
        """The bytes of a hexadecimal text."""
        value = self.get(key)
        try:
            if isinstance(value, str) and len(value) == 2 * size:
                return bytes.fromhex(value)
        except ValueError:
            pass
        raise self.error(key, "%d hex digits" % (2 * size))

    def hexadecimal(self, key: str, most: int) -> int:
        """The number of a text such as "0x00c8"."""
        number = hexadecimal(self.get(key))
        if number is None or number > most:
            raise self.error(key, 'hex digits as in "0x00c8", at most 0x%x' % most)
        return number

    def integers(self, key: str, low: int, high: int, least: int, most: int) -> list[int]:
        """A list of `least` to `most` integers, each `low` to `high`."""
        numbers: list[int] = []
        for value in self.items(key, least, most):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise self.error(key, "integers %d to %d" % (low, high))
            numbers.append(value)
        return numbers

    def names(self) -> list[str]:
        """All keys there are, sorted."""
        return sorted(self._table)

    def texts(self, key: str, least: int, most: int, chars: int) -> list[str]:
        """A list of `least` to `most` texts of at most `chars` characters."""
        found: list[str] = []
        for value in self.items(key, least, most):
            if not isinstance(value, str) or not 1 <= len(value) <= chars:
                raise self.error(key, "texts of 1 to %d characters" % chars)
            found.append(value)
        return found

    def items(self, key: str, least: int, most: int) -> list[object]:
        """A list; an absent one is empty if it may be."""
        value = self.get(key)
        if value is None and not least:
            return []
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise self.error(key, "a list of %d to %d" % (least, most))
        return value

    def child(self, key: str) -> "Fields":
        """The object under `key`; an absent one is empty."""
        value = self.get(key)
        return Fields({} if value is None else value, self.place(key))

    def children(self, key: str, least: int, most: int) -> list["Fields"]:
        """The objects in the list under `key`."""
        result = []
        for at, value in enumerate(self.items(key, least, most)):
            result.append(Fields(value, "%s[%d]" % (self.place(key), at)))
        return result

    def done(self) -> None:
        """Every key was asked for."""
        for key in self._table:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise FieldError("%s: unknown key, known are %s" % (self.place(key), known))

    def place(self, key: str) -> str:
        """Where `key` stands, for errors."""
        if self._place.endswith(":"):
            return self._place + " " + key
        return self._place + "." + key

    def error(self, key: str, expected: str) -> FieldError:
        """The error that says what was found under `key` and what was expected."""
        return FieldError(
            "%s: %s, expected %s" % (self.place(key), shown(self._table.get(key)), expected)
        )


def hexadecimal(value: object) -> int | None:
    """The number of a text such as "0x00c8", None for anything else."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return int(value[2:], 16)
    except ValueError:
        pass
    return None


def shown(value: object) -> str:
    """A value in an error message; never longer than a line."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
