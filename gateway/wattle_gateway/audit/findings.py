"""What an audit says."""

from dataclasses import asdict, dataclass, field
from typing import Any

from wattle_gateway.audit.begins import Begins
from wattle_gateway.errors import GatewayError


@dataclass(frozen=True)
class Difference:
    """One place where the stored bytes are not what they should be.

    `what` says it in a sentence; the rest names the place as far as it has a name: the `table`,
    `block` as "round/author", `commit` index, ledger index `leaf`, `meter` id and `seq`.
    """

    what: str
    table: str = ""
    block: str | None = None
    commit: int | None = None
    leaf: int | None = None
    meter: str | None = None
    seq: int | None = None

    def __str__(self) -> str:
        names = ("table", "block", "commit", "leaf", "meter", "seq")
        places = [
            f"{name} {value}" for name in names if (value := getattr(self, name)) not in (None, "")
        ]
        return f"{', '.join(places)}: {self.what}" if places else self.what


class DifferenceError(GatewayError):
    """Carries a difference to the audit's caller: what follows it stands on it."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


@dataclass
class Counts:
    """How much was verified."""

    blocks: int = 0
    entries: int = 0
    commits: int = 0
    leaves: int = 0
    samples: int = 0
    checkpoints: int = 0
    meters: int = 0
    waiting: int = 0


@dataclass
class AuditReport:
    """The outcome. Empty `differences`: every byte is accounted for.

    The ledger is read in its order and up to the first difference; `epoch` in force, head, root
    and state digest are those that were computed. `begins`: the snapshot that the ledger begins
    with, None for one that has all its history.
    """

    ledger_id: str
    counts: Counts = field(default_factory=Counts)
    differences: list[Difference] = field(default_factory=list)
    epoch: int = 0
    commit: int = 0
    commit_digest: str = ""
    root: str = ""
    state_digest: str = ""
    seconds: float = 0.0
    begins: Begins | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """The shape of `audit --format json`."""
        return {"ok": self.ok, **asdict(self)}
