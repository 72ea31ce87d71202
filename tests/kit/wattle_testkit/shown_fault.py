"""What shows a fault, where a test asks for nothing of it but that it is there."""

from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.fault_record import FaultRecord, Shown

SHOWN = Shown(fault_record.TRANSACTION, bytes(range(32)), 7)


def records(counts: dict[str, int], time_ms: int = 0) -> dict[str, FaultRecord]:
    """So many faults of each name, the newest of each at a time."""
    return {name: FaultRecord(count, time_ms, SHOWN) for name, count in counts.items()}
