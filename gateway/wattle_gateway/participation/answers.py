"""What the policy has answered so far: answers.json, written before anything is sent."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from wattle_gateway.errors import StoreError
from wattle_gateway.home import durable_file

# Of the events that are on the ledger; those that are gone are forgotten first.
ANSWERS_MAX = 100_000

SENDING = "sending"  # signed, perhaps: what became of it the ledger says
DECLARED = "declared"
REFUSED = "refused"  # by the ledger
LEFT = "left"
BY_HAND = "by hand"  # somebody was faster than the policy


@dataclass(frozen=True)
class Answer:
    """To an event (digest, hex) for a point (METER/D) at ledger time `at_ms`: `did` one of the
    words above, and why."""

    event: str
    point: str
    did: str
    why: str
    at_ms: int
    quota_w: int | None = None
    price: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be said: what was left may be seen otherwise later."""
        return self.did not in (LEFT, SENDING)


class Answers:
    """The answers of one gateway, by event and point."""

    def __init__(self, path: Path) -> None:
        """Read from the file, if there is one. StoreError for one that is not ours."""
        self._path = path
        self._by_place = {(one.event, one.point): one for one in read(path)}

    @property
    def by_place(self) -> Mapping[tuple[str, str], Answer]:
        """All by event and point."""
        return self._by_place

    def note(self, answers: Iterable[Answer], known_events: Iterable[str]) -> None:
        """Remember answers durably, and forget those to events that are not known any more.

        Raises StoreError, and then remembers nothing of it.
        """
        known = set(known_events)
        kept = {place: one for place, one in self._by_place.items() if one.event in known}
        kept |= {(one.event, one.point): one for one in answers}
        newest = dict(list(kept.items())[-ANSWERS_MAX:])
        text = json.dumps([asdict(one) for one in newest.values()], indent=0)
        try:
            durable_file.write(self._path, text.encode(), mode=0o600)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._by_place = newest


def read(path: Path) -> list[Answer]:
    """The answers in a file, none if there is no file. StoreError for one that is not ours."""
    try:
        return [Answer(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: not the answers of a policy: {error}") from error
