"""What classes of data and faults weigh in each use (DEMAND_RESPONSE.md, D13 to D15).

The names and their weights are market parameters (SPEC section 9); here they are read.
"""

from collections.abc import Iterable

from wattle_gateway.contracts import classes
from wattle_gateway.ledger.market import DATA_CLASSES, FAULTS, PERMILLE, Market, Weights

# Uses, as `Weights` names them.
BASELINE = "baseline"
SCORE = "score"
REPUTATION = "reputation"
SELECTION = "selection"

# Classes of an interval that no verdict has.
INTEGRATED = "integrated"
UNMEASURED = "unmeasured"
REVISED = "revised"
GAP = classes.CLASS_NAMES[classes.GAP]
INTERVAL_CLASSES = (GAP, INTEGRATED, UNMEASURED, REVISED)

# Faults of parties and gateways.
ERROR = "error"
SILENCE = "silence"
GATEWAY_SILENCE = "gateway_silence"
FALSE_DECLARATION = "false_declaration"
DECLARED_ABOVE_RATING = "declared_above_rating"
WITHDRAWAL = "withdrawal"
NO_DELIVERY = "no_delivery"
UNDERBID = "underbid"
SELF_DEALING = "self_dealing"
UNCOMMANDED = "uncommanded"
DOUBLE_SIGNING = "double_signing"


def of_verdict(verdict: int) -> frozenset[str]:
    """The names of the classes in a sample's verdict."""
    return frozenset(classes.class_names(verdict))


def weight(market: Market, names: Iterable[str], use: str) -> int:
    """What an interval of these data classes counts for in a use (one of the words above),
    permille: the lowest of their weights, 1000 for one of no class."""
    found = []
    for name in names:
        assert name in DATA_CLASSES, name
        found.append(_of(market.weight_of[name], use))
    return min(found, default=PERMILLE)


def taken_off(market: Market, fault: str) -> int:
    """What a fault takes off a reputation, permille."""
    assert fault in FAULTS, fault
    return market.weight_of[fault].reputation


def merit_share(market: Market, faults: Iterable[str]) -> int:
    """What a merit is multiplied with while these faults are on record, permille: the lowest of
    their weights, 1000 without any."""
    return min((market.weight_of[fault].selection for fault in faults), default=PERMILLE)


def _of(weights: Weights, use: str) -> int:
    number = getattr(weights, use)
    assert isinstance(number, int)
    return number
