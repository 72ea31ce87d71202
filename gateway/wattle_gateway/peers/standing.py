"""Who broke the rules of peer links, how often, and until when it is kept off."""

from dataclasses import dataclass, field

# One fault may be an old version of the program; three within the hour are not bad luck.
FAULTS_MAX = 3
FAULTS_WITHIN_S = 3600.0
# Long enough that garbage costs nothing, short enough that a mended gateway is back by itself.
KEPT_OFF_S = 600.0
# Guests' kids are theirs to choose: the oldest records go first.
RECORDS_MAX = 256


@dataclass
class _Record:
    faults: int = 0
    recent_s: list[float] = field(default_factory=list)
    off_until_s: float = 0.0
    last: str = ""


class Standing:
    """Faults by kid. Times are of one steady clock, seconds."""

    def __init__(self) -> None:
        self._records: dict[bytes, _Record] = {}

    def fault(self, kid: bytes, what: str, now_s: float) -> bool:
        """Count a fault of a gateway; True if it is kept off from now on."""
        record = self._records.pop(kid, None) or _Record()
        while len(self._records) >= RECORDS_MAX:
            del self._records[next(iter(self._records))]
        self._records[kid] = record
        record.faults += 1
        record.last = what
        record.recent_s = [at for at in record.recent_s if now_s - at < FAULTS_WITHIN_S] + [now_s]
        if len(record.recent_s) < FAULTS_MAX:
            return False
        record.recent_s.clear()
        record.off_until_s = now_s + KEPT_OFF_S
        return True

    def off_for_s(self, kid: bytes, now_s: float) -> float:
        """How long a gateway is still kept off, 0 if it is not."""
        record = self._records.get(kid)
        return 0.0 if record is None else max(0.0, record.off_until_s - now_s)

    def faults(self, kid: bytes) -> tuple[int, str]:
        """How many faults a gateway had, and the last one."""
        record = self._records.get(kid)
        return (0, "") if record is None else (record.faults, record.last)
