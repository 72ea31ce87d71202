"""An event that is over leaves the state: its statements, payments and disputes go with it."""

from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.settlement import disputes, paying, results
from wattle_gateway.contracts.settlement.touching import take_note
from wattle_gateway.contracts.state import State


def forget(state: State, event: EventRow) -> None:
    """Remove what stands in the state of an event's settlement. Its quotas are still there."""
    for quota in rows.quotas(state, event):
        row = results.result(state, event.digest, quota.meter, quota.device)
        if row is None:
            continue
        for digest in row.disputes:
            disputes.delete_dispute(state, digest)
        results.delete_result(state, event.digest, quota.meter, quota.device)
        take_note(state, quota)
        for payee in (quota.origin, quota.owner):
            paying.delete_paid(state, event.digest, payee)
