"""The rules of programmes, each with its source.

What a source at hand does not state is not made up: BASELINES.md says, preset by preset, which
parameters were read, which are common knowledge of the programme, and which rules of its manual
are left to options.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wattle_gateway.contracts.baseline.local_days import DayTypes
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    Rule,
    Selection,
    Window,
)


@dataclass(frozen=True)
class Preset:
    """A rule, and where it is written."""

    rule: Rule
    source: str


_CAISO = Preset(
    Rule(
        "caiso-10-of-10",
        quota=Quota(10, 10, 5),
        weekend_quota=Quota(4, 4, 4),
        look_back_days=45,
        fallback=Fallback.EVENT_DAYS,
        adjustment=AdjustmentKind.MULTIPLICATIVE,
        window=Window(before_from_min=240, before_to_min=60),
        cap_up_permille=200,
        cap_down_permille=200,
    ),
    "CAISO tariff 4.13.4 (ten-in-ten); CAISO Baseline Accuracy Work Group proposal, 2017: "
    "10 of 10 with a 20 % same-day adjustment",
)
_PJM = Preset(
    Rule(
        "pjm-high-4-of-5",
        day_types=DayTypes.SATURDAY_SUNDAY,
        quota=Quota(4, 5, 4),
        weekend_quota=Quota(2, 3, 2),
        selection=Selection.HIGH,
        look_back_days=45,
        fallback=Fallback.EVENT_DAYS,
        adjustment=AdjustmentKind.ADDITIVE,
        window=Window(before_from_min=240, before_to_min=60),
    ),
    "PJM Manual 11, section 10.4: customer baseline load, three day types with symmetric "
    "additive adjustment",
)
_NYISO = Preset(
    Rule(
        "nyiso-high-5-of-10",
        day_types=DayTypes.SATURDAY_SUNDAY,
        quota=Quota(5, 10, 5),
        weekend_quota=Quota(2, 3, 2),
        selection=Selection.HIGH,
        look_back_days=30,
        fallback=Fallback.EVENT_DAYS,
    ),
    "NYISO Emergency Demand Response Program Manual, section 5: Average Day CBL (its weather "
    "adjustment is an election, so it is an option here)",
)
_ERCOT = Preset(
    Rule(
        "ercot-middle-8-of-10",
        quota=Quota(8, 10, 5),
        selection=Selection.MIDDLE,
        look_back_days=45,
        adjustment=AdjustmentKind.MULTIPLICATIVE,
        window=Window(before_from_min=180, before_to_min=60),
    ),
    "ERCOT Demand Response Baseline Methodologies (default baselines): middle 8-of-10 preceding "
    "like days with event-day adjustment",
)
_SAME_DAY = Preset(
    Rule(
        "same-day-3-plus-2",
        method=Method.SAME_DAY,
        window=Window(before_from_min=240, before_to_min=60, after_from_min=60, after_to_min=180),
    ),
    "PJM Manual 11, Same Day (3 + 2): the mean of three hours before the event (after skipping "
    "one) and two after it (after skipping one); RTO Insider, Improved DR Baseline Processes OKd",
)

_MATCH_DAY = Preset(
    Rule("pjm-match-day-3", method=Method.NEAREST, quota=Quota(3, 20, 3), look_back_days=45),
    "PJM Manual 11, Match Day: the mean of the three non-event days nearest in the hours apart "
    "from the event and from the hour on each side; RTO Insider, as above",
)
_CONTROL_GROUP = Preset(
    Rule(
        "control-group",
        method=Method.CONTROL_GROUP,
        least_intervals_permille=500,
        adjustment=AdjustmentKind.MULTIPLICATIVE,
        window=Window(before_from_min=240, before_to_min=60),
    ),
    "CAISO Baseline Accuracy Assessment (Bode, Ciccone), 2017: settlement by a control group, "
    "here its mean, scaled to the point by the hours before the event",
)

_ALL = (_CAISO, _PJM, _NYISO, _ERCOT, _SAME_DAY, _MATCH_DAY, _CONTROL_GROUP)
PRESETS: Mapping[str, Preset] = MappingProxyType({preset.rule.name: preset for preset in _ALL})
