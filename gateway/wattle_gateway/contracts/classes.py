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
}


def class_names(verdict: int) -> list[str]:
    """The names of a sample verdict's classes, lowest bit first; empty for a valid sample."""
    return [name for bit, name in CLASS_NAMES.items() if verdict & bit]
