"""Verdicts: the classes of a sample and the refusals of a transaction (SPEC section 12)."""

# Classes of a sample: a verdict is the sum of those that hold, 0 is valid.
LATE = 1
FORKED = 2
DECREASING = 4
ABOVE_RATING = 8
CLOCK_UNSURE = 16
FUTURE = 32
FAILED = 64
UNKNOWN_POINT = 128
MISNAMED = 256
GAP = 512
EXCHANGED = 1024  # of rules 2
SUBSTITUTED = 2048  # of rules 3

CLASS_NAMES = {
    LATE: "late",
    FORKED: "forked",
    DECREASING: "decreasing",
    ABOVE_RATING: "above_rating",
    CLOCK_UNSURE: "clock_unsure",
    FUTURE: "future",
    FAILED: "failed",
    UNKNOWN_POINT: "unknown_point",
    MISNAMED: "misnamed",
    GAP: "gap",
    EXCHANGED: "exchanged",
    SUBSTITUTED: "substituted",
}

# A sample with one of these does not move the energy registers.
IMPLAUSIBLE = DECREASING | ABOVE_RATING | FUTURE | MISNAMED | FORKED

# Refusals of a transaction, each with its own code; 0 is accepted.
ACCEPTED = 0
MALFORMED_BODY = 1
EXPIRED = 2
ROLE_NOT_ALLOWED = 3
KIND_UNKNOWN = 4
PROOF_FAILS = 5
ALREADY_ENROLLED = 6
EUI64_IN_USE = 7
METER_UNKNOWN = 8
ALREADY_REVOKED = 9
LAST_SEQ_BELOW_FINAL = 10
APPROVAL_MISSING = 11
MEMBER_UNKNOWN = 12
NOT_THE_EPOCH = 13
NOT_READY = 14
NOTHING_WAITS = 15
APPROVED_ALREADY = 16
SAME_ROLE = 17
NOT_THE_HOST = 18
PARTY_IS_MEMBER = 19
WORD_STALE = 20
ASSET_UNKNOWN = 21
ACCOUNT_EXISTS = 22
ACCOUNT_UNKNOWN = 23
RECIPIENT_UNKNOWN = 24
TO_ITSELF = 25
BALANCE_SHORT = 26
NOT_THE_ISSUER = 27
DECIMALS_DIFFER = 28
SUPPLY_FULL = 29
LOCKS_FULL = 30
LOCK_UNKNOWN = 31
NOT_THE_HOLDER = 32
LOCK_SHORT = 33
POINT_UNKNOWN = 34
NOT_THE_OWNER = 35
OWNER_BACKDATED = 36
OWNERS_FULL = 37
NOT_ASKED = 38
NOT_OWNER_OR_HOST = 39
ABOVE_CAPACITY = 40
OFFER_UNKNOWN = 41
# Of rules 3: events, 42 to 59 and 76 to 80.
BEGIN_UNALIGNED = 42
INTERVALS_OVER = 43
NOTICE_SHORT = 44
WINDOW_PASSED = 45
WINDOW_TOO_FAR = 46
RULE_UNFIT = 47
EVENTS_FULL = 48
EVENT_UNKNOWN = 49
SELECTION_OVER = 50
NOT_THE_PUBLISHER = 51
QUOTAS_MISCOUNTED = 52
OFFER_UNFIT = 53
PRICE_NOT_ASKED = 54
PRICE_ABOVE_CAP = 55
TOO_COARSE = 56
DECLARATIONS_FULL = 57
SUSPENDED = 58
NOT_DECLARED = 59
# Settlement.
CONTRACT_WINDOW = 60
CONTRACTS_FULL = 61
FUND_UNKNOWN = 62
NOT_THE_SPENDER = 63
FUND_OVER = 64
FUND_SHORT = 65
FUND_ASSET = 66
NOT_SETTLED = 67
NOT_SELECTED = 68
INTERVAL_UNKNOWN = 69
NOT_A_SIDE = 70
DISPUTES_FULL = 71
DISPUTE_UNKNOWN = 72
ANSWERED_ALREADY = 73
DISPUTE_CLOSED = 74
SIDE_DECIDES = 75
SELF_DEALING = 76
EVENT_OVER = 77
ORDERED_ALREADY = 78
NOT_HOSTED = 79
NO_CONTRACT = 80
# Gateways of a meter.
HOME_WITHOUT_VOTE = 81
NOTHING_MOVES = 82
# What a fund is for.
FUND_METHOD = 83
FUND_AREA = 84
FUND_DIRECTION = 85
FUND_WINDOW = 86
FUND_AVAILABILITY_PRICE = 87
FUND_ENERGY_PRICE = 88
FUND_EVENT_AMOUNT = 89
DECISION_OVER = 90

REFUSAL_NAMES = {
    MALFORMED_BODY: "malformed_body",
    EXPIRED: "expired",
    ROLE_NOT_ALLOWED: "role_not_allowed",
    KIND_UNKNOWN: "kind_unknown",
    PROOF_FAILS: "proof_fails",
    ALREADY_ENROLLED: "already_enrolled",
    EUI64_IN_USE: "eui64_in_use",
    METER_UNKNOWN: "meter_unknown",
    ALREADY_REVOKED: "already_revoked",
    LAST_SEQ_BELOW_FINAL: "last_seq_below_final",
    APPROVAL_MISSING: "approval_missing",
    MEMBER_UNKNOWN: "member_unknown",
    NOT_THE_EPOCH: "not_the_epoch",
    NOT_READY: "not_ready",
    NOTHING_WAITS: "nothing_waits",
    APPROVED_ALREADY: "approved_already",
    SAME_ROLE: "same_role",
    NOT_THE_HOST: "not_the_host",
    PARTY_IS_MEMBER: "party_is_member",
    WORD_STALE: "word_stale",
    ASSET_UNKNOWN: "asset_unknown",
    ACCOUNT_EXISTS: "account_exists",
    ACCOUNT_UNKNOWN: "account_unknown",
    RECIPIENT_UNKNOWN: "recipient_unknown",
    TO_ITSELF: "to_itself",
    BALANCE_SHORT: "balance_short",
    NOT_THE_ISSUER: "not_the_issuer",
    DECIMALS_DIFFER: "decimals_differ",
    SUPPLY_FULL: "supply_full",
    LOCKS_FULL: "locks_full",
    LOCK_UNKNOWN: "lock_unknown",
    NOT_THE_HOLDER: "not_the_holder",
    LOCK_SHORT: "lock_short",
    POINT_UNKNOWN: "point_unknown",
    NOT_THE_OWNER: "not_the_owner",
    OWNER_BACKDATED: "owner_backdated",
    OWNERS_FULL: "owners_full",
    NOT_ASKED: "not_asked",
    NOT_OWNER_OR_HOST: "not_owner_or_host",
    ABOVE_CAPACITY: "above_capacity",
    OFFER_UNKNOWN: "offer_unknown",
    BEGIN_UNALIGNED: "begin_unaligned",
    INTERVALS_OVER: "intervals_over",
    NOTICE_SHORT: "notice_short",
    WINDOW_PASSED: "window_passed",
    WINDOW_TOO_FAR: "window_too_far",
    RULE_UNFIT: "rule_unfit",
    EVENTS_FULL: "events_full",
    EVENT_UNKNOWN: "event_unknown",
    SELECTION_OVER: "selection_over",
    NOT_THE_PUBLISHER: "not_the_publisher",
    QUOTAS_MISCOUNTED: "quotas_miscounted",
    OFFER_UNFIT: "offer_unfit",
    PRICE_NOT_ASKED: "price_not_asked",
    PRICE_ABOVE_CAP: "price_above_cap",
    TOO_COARSE: "too_coarse",
    DECLARATIONS_FULL: "declarations_full",
    SUSPENDED: "suspended",
    NOT_DECLARED: "not_declared",
    SELF_DEALING: "self_dealing",
    EVENT_OVER: "event_over",
    ORDERED_ALREADY: "ordered_already",
    NOT_HOSTED: "not_hosted",
    NO_CONTRACT: "no_contract",
    CONTRACT_WINDOW: "contract_window",
    CONTRACTS_FULL: "contracts_full",
    FUND_UNKNOWN: "fund_unknown",
    NOT_THE_SPENDER: "not_the_spender",
    FUND_OVER: "fund_over",
    FUND_SHORT: "fund_short",
    FUND_ASSET: "fund_asset",
    NOT_SETTLED: "not_settled",
    NOT_SELECTED: "not_selected",
    INTERVAL_UNKNOWN: "interval_unknown",
    NOT_A_SIDE: "not_a_side",
    DISPUTES_FULL: "disputes_full",
    DISPUTE_UNKNOWN: "dispute_unknown",
    ANSWERED_ALREADY: "answered_already",
    DISPUTE_CLOSED: "dispute_closed",
    SIDE_DECIDES: "side_decides",
    HOME_WITHOUT_VOTE: "home_without_vote",
    NOTHING_MOVES: "nothing_moves",
    FUND_METHOD: "fund_method",
    FUND_AREA: "fund_area",
    FUND_DIRECTION: "fund_direction",
    FUND_WINDOW: "fund_window",
    FUND_AVAILABILITY_PRICE: "fund_availability_price",
    FUND_ENERGY_PRICE: "fund_energy_price",
    FUND_EVENT_AMOUNT: "fund_event_amount",
    DECISION_OVER: "decision_over",
}


def class_names(verdict: int) -> list[str]:
    """The names of a sample verdict's classes, lowest bit first; empty for a valid sample."""
    return [name for bit, name in CLASS_NAMES.items() if verdict & bit]
