"""What `baseline` prints, wherever its data came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wattle_gateway.contracts.baseline.engine import Baseline
from wattle_gateway.contracts.baseline.local_days import Zone


@dataclass(frozen=True)
class Judged:
    """A baseline, the zone that times are shown in, and what else is told: `notes` beside it,
    `more_lines` above its intervals, `more_json` among its keys."""

    found: Baseline
    zone: Zone
    notes: Sequence[str]
    more_lines: Sequence[str] = ()
    more_json: Mapping[str, Any] = field(default_factory=dict)
