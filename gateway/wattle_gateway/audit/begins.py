"""What an audit says of the snapshot that a ledger begins with."""

from dataclasses import dataclass

from wattle_gateway.snapshot.proving import ProvedBase


@dataclass(frozen=True)
class Begins:
    """The `commit` of `time_ms`, whose state is proved by a checkpoint of `size` leaves that
    members (`signed_by`, names) of `epoch` signed; the log has `leaves` up to it, of which this
    gateway has none."""

    commit: int
    time_ms: int
    leaves: int
    size: int
    epoch: int
    signed_by: list[str]


def of(proved: ProvedBase | None) -> Begins | None:
    """What was proved of the base, None for a ledger that has all its history."""
    if proved is None:
        return None
    signing = proved.signing_epoch
    return Begins(
        proved.base.index,
        proved.base.leaf.time_ms,
        proved.base.edge.size,
        proved.size,
        signing.number,
        [signing.members[author].name for author in proved.signed_by],
    )
