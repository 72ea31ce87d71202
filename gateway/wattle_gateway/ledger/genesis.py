"""The genesis of a ledger: who its members are and which constants its rules read (SPEC 9).

Whatever validity, order or execution reads stands here and nowhere in a configuration file:
two gateways with the same genesis come to the same ledger.
"""

import itertools
import re
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

from wattle_wire import cbor, cose, structure

from wattle_gateway.ledger import crypto
from wattle_gateway.ledger import market as market_format
from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.market import Market

# What a new ledger begins with, and all that this gateway can execute: history keeps its rules.
RULES = 3
RULES_KNOWN = (1, 2, 3)
# From these on there are hosted users, accounts and owners of points.
ACCOUNT_RULES = 2
RESTART_RULES = 2  # counters of a point begin anew, its rating is that of the primary side
ANCHOR_RULES = 3  # a turn of leaders meets every one of them as anchor (CONSENSUS, rule 28)
AREA_PATH_RULES = 3  # areas say where they hang in the grid, before only one name
EVENT_RULES = 3  # events: called loads are measured, scored and paid by the ledger itself
MARKET = "market"
NAME_PATTERN = re.compile(r"[a-z0-9.-]{1,64}")
MEMBER_NAME_CHARS_MAX = 64
CHECKPOINT_KEY_BYTES = 32
# Fits any site authority certificate; with MEMBERS_MAX the genesis stays below the CBOR limit.
CERTIFICATE_BYTES_MAX = 1536
# Author sets are int bitmasks and every block may name every author; alliances are 1 to 20.
MEMBERS_MAX = 32
LEDGER_ID_BYTES = 16

GRID_COMPANY = 1
RETAILER = 2
AGGREGATOR = 3
ENERGY_SERVICE_COMPANY = 4
LARGE_USER = 5
HOSTED_USER = 6
OBSERVER = 7
# Who runs a gateway that proposes and decides; the others follow (SPEC section 9).
VOTING_ROLES = (GRID_COMPANY, RETAILER, AGGREGATOR, ENERGY_SERVICE_COMPANY, LARGE_USER)
ROLE_NAMES = {
    GRID_COMPANY: "grid company",
    RETAILER: "retailer",
    AGGREGATOR: "aggregator",
    ENERGY_SERVICE_COMPANY: "integrated energy service company",
    LARGE_USER: "large user",
    HOSTED_USER: "hosted user",
    OBSERVER: "observer",
}


@dataclass(frozen=True)
class Constants:
    """The constants of SPEC section 9, at their values for a new ledger.

    `market` is None below rules 3, and there from them on: `constants_under` sees to it.
    """

    block_entries_max: int = 1000
    block_payload_bytes_max: int = 262144
    enrol_approvals: int = 2
    entry_bytes_max: int = 60000
    future_ms: int = 120000
    gap_open_ms: int = 86400000
    gc_depth: int = 60
    late_ms: int = 900000
    leader_commits: int = 30
    leader_permille: int = 800
    rating_margin_permille: int = 1200
    ready_commits_max: int = 1000
    runs_max: int = 64
    state_root_every: int = 1024
    market: Market | None = None


# (lowest, highest) that the formats and rules can bear.
CONSTANT_BOUNDS = {
    "block_entries_max": (1, 4096),  # one CBOR array holds 4,096 items
    # Room for one entry; with an answer's 1 MiB well inside a peer message of 8 MiB.
    "block_payload_bytes_max": (60000, 1 << 22),
    "enrol_approvals": (1, 2),  # the home alone, or a member of another role besides
    "entry_bytes_max": (20000, 60000),  # above a sample's 16 KiB; a leaf stays below 64 KiB
    "future_ms": (0, 1 << 53),
    "gap_open_ms": (0, 1 << 53),
    "gc_depth": (4, 4096),  # above the wave of three rounds
    "late_ms": (0, 1 << 53),
    "leader_commits": (1, 4096),  # the window of commits that scores are counted over
    "leader_permille": (0, 1000),
    "rating_margin_permille": (1000, 1000000),
    "ready_commits_max": (1, 1 << 32),
    "runs_max": (2, 512),  # the chain of a meter is one state value
    "state_root_every": (1, 1 << 32),
}


@dataclass(frozen=True)
class Member:
    """A member of the alliance; its place among those that vote is its author index.

    `block_key`, `link_key` P-256 points (65 bytes); `checkpoint_key` Ed25519 (32 bytes);
    `site_authority` the DER certificate under which its site's TLS certificates stand.
    """

    name: str
    role: int
    block_key: bytes
    link_key: bytes
    checkpoint_key: bytes
    site_authority: bytes

    @property
    def votes(self) -> bool:
        """Whether it is of the committee; who is not follows."""
        return self.role in VOTING_ROLES

    @cached_property
    def kid(self) -> bytes:
        """kid (8 bytes) of the block key: the member's name in transactions and the registry."""
        return cose.kid_of(self.block_key)

    @cached_property
    def link_kid(self) -> bytes:
        """kid (8 bytes) of the link key: named in every ack and command."""
        return cose.kid_of(self.link_key)


@dataclass(frozen=True)
class Genesis:
    """A checked genesis. Make one with `create` or `decode`; both refuse what SPEC refuses."""

    name: str
    created_ms: int
    rules: int
    constants: Constants
    members: tuple[Member, ...]

    @cached_property
    def raw(self) -> bytes:
        """The genesis bytes, whose hash names the ledger."""
        return cbor.encode(
            [
                "wattle/1/genesis",
                self.name,
                self.created_ms,
                self.rules,
                constants_map(self.constants),
                [member_row(member) for member in self.members],
            ]
        )

    @cached_property
    def ledger_id(self) -> bytes:
        """First 16 bytes of SHA-256(genesis bytes)."""
        return sha256(self.raw).digest()[:LEDGER_ID_BYTES]


def create(
    name: str,
    created_ms: int,
    members: tuple[Member, ...],
    constants: Constants | None = None,
    rules: int = RULES,
) -> Genesis:
    """A new genesis; members are put in the order of their kids. LedgerError if not allowed."""
    ordered = tuple(sorted(members, key=lambda member: member.kid))
    return decode(Genesis(name, created_ms, rules, constants or Constants(), ordered).raw)


def decode(raw: bytes) -> Genesis:
    """The genesis in `raw`, exactly as SPEC section 9 has it.

    Raises FormatError for anything else, SignatureError for a key that is no point of P-256.
    """
    with wire_errors_named("genesis"):
        row = structure.array(cbor.decode(raw), 6, "genesis")
        if row[0] != "wattle/1/genesis":
            raise FormatError(f"genesis begins with {row[0]!r}, expected 'wattle/1/genesis'")
        name = structure.text(row[1], 64, "name")
        created_ms = structure.uint(row[2], "created_ms", (1 << 53) - 1)
        rules = structure.uint(row[3], "rules")
        members = parse_members(row[5])
        constants = parse_constants(row[4], rules)
    if not NAME_PATTERN.fullmatch(name):
        raise FormatError(f"ledger name {name!r}, expected [a-z0-9.-]{{1,64}}")
    if rules not in RULES_KNOWN:
        raise FormatError(f"genesis has rules {rules}, this gateway knows {known_rules()}")
    return Genesis(name, created_ms, rules, constants, members)


def known_rules() -> str:
    """The rules that this gateway can execute, for messages."""
    *others, last = map(str, RULES_KNOWN)
    return f"rules {', '.join(others)} and {last}"


def member_row(member: Member) -> list[object]:
    """A member as it stands in CBOR."""
    return [
        member.name,
        member.role,
        member.block_key,
        member.link_key,
        member.checkpoint_key,
        member.site_authority,
    ]


def constants_map(constants: Constants) -> dict[str, object]:
    """Constants as they stand in CBOR: market parameters only where they are other than those
    of a new ledger. So a change to rules 3 has a form that gateways of older rules can read."""
    found: dict[str, object] = {name: getattr(constants, name) for name in CONSTANT_BOUNDS}
    if constants.market not in (None, Market()):
        assert constants.market is not None
        found[MARKET] = market_format.market_map(constants.market)
    return found


def constants_under(constants: Constants, rules: int) -> Constants:
    """The same constants under these rules: with market parameters (those of a new ledger where
    there are none) from rules 3 on, without them below."""
    if rules < EVENT_RULES:
        return replace(constants, market=None)
    return replace(constants, market=constants.market or Market())


def parse_constants(value: object, rules: int) -> Constants:
    """The constants in decoded CBOR; LedgerError unless each is there and within its bounds."""
    names = list(CONSTANT_BOUNDS)
    found = dict(value) if isinstance(value, dict) else {}
    market = market_format.parse(found.pop(MARKET)) if MARKET in found else None
    if sorted(map(str, found)) != names:
        raise FormatError(f"constants are not a map with the keys {', '.join(names)}")
    if market is not None and rules < EVENT_RULES:
        raise FormatError(f"constants have a market, which rules {rules} do not know")
    if market == Market():
        raise FormatError("constants name the market of a new ledger, expected to be left out")
    numbers: dict[str, int] = {}
    for name in names:
        number = found.get(name)
        low, high = CONSTANT_BOUNDS[name]
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise LimitError(f"constant {name} is {number!r}, expected {low} to {high}")
        numbers[name] = number
    return constants_under(Constants(**numbers, market=market), rules)


def parse_members(value: object) -> tuple[Member, ...]:
    """The members in decoded CBOR: 1 to 32 by rising kid, one of them voting.

    Raises WireError, FormatError or, for a key that is no point or a weak one, SignatureError.
    """
    members = tuple(parse_member(item) for item in structure.items(value, MEMBERS_MAX, "members"))
    if not any(member.votes for member in members):
        raise FormatError("members: no voting member, expected at least 1")
    kids = [member.kid for member in members]
    if any(low >= high for low, high in itertools.pairwise(kids)):
        raise FormatError("members are not sorted by the kid of their block key, each once")
    return members


def parse_member(value: object) -> Member:
    """The member in decoded CBOR; raises as `parse_members` does."""
    row = structure.array(value, 6, "member")
    certificate = row[5]
    if not isinstance(certificate, bytes) or not 1 <= len(certificate) <= CERTIFICATE_BYTES_MAX:
        raise LimitError(f"site authority is not 1 to {CERTIFICATE_BYTES_MAX} bytes")
    role = structure.uint(row[1], "role")
    if role not in ROLE_NAMES:
        raise FormatError(f"role {role}, expected one of {sorted(ROLE_NAMES)}")
    member = Member(
        structure.text(row[0], MEMBER_NAME_CHARS_MAX, "member name"),
        role,
        structure.octets(row[2], crypto.PUBLIC_KEY_BYTES, "block key"),
        structure.octets(row[3], crypto.PUBLIC_KEY_BYTES, "link key"),
        structure.octets(row[4], CHECKPOINT_KEY_BYTES, "checkpoint key"),
        certificate,
    )
    crypto.load_public(member.block_key)
    crypto.load_public(member.link_key)
    crypto.check_ed25519(member.checkpoint_key)
    return member
