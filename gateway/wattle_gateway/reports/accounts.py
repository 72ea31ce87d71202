"""`account show`, `party list`, `meters points`: who has what, by names that people know."""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import topics

from wattle_gateway.contracts import accounts, ownership, parties, registry
from wattle_gateway.contracts.accounts import Account, Asset, HeldLock
from wattle_gateway.contracts.parties import Party
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.epoch import Epoch


@dataclass(frozen=True)
class Holder:
    """A party by its name, which is its own choice ("" for one that has left), and its kid."""

    name: str
    kid: str


@dataclass(frozen=True)
class AccountLine:
    """An account; amounts in the asset's smallest unit, of which 10^decimals are one."""

    party: Holder
    asset: str
    decimals: int
    unlocked: int
    locked: int
    locks: int


@dataclass(frozen=True)
class LockLine:
    """A lock: up to `until_ms` only `holder` disposes of it."""

    digest: str
    owner: Holder
    asset: str
    decimals: int
    amount: int
    holder: Holder
    until_ms: int


@dataclass(frozen=True)
class AssetLine:
    """An asset; `issued` and `redeemed` so far, in smallest units."""

    asset: str
    decimals: int
    issuer: Holder
    issued: int
    redeemed: int


@dataclass(frozen=True)
class PartyLine:
    """A party: `host` None for a member."""

    name: str
    kid: str
    role: str
    host: Holder | None


@dataclass(frozen=True)
class OwnerLine:
    """From `from_ms` (0: from its enrolment) on the point is this party's."""

    from_ms: int
    owner: Holder


@dataclass(frozen=True)
class PointLine:
    """A point: `owner` at the time of the newest commit, which is number `now` of all its `owners`,
    past and future."""

    point: str
    commodity: str
    rating_w: int
    capacity_w: int
    owner: Holder
    now: int
    owners: list[OwnerLine]


@dataclass(frozen=True)
class Money:
    """The answer of `account show`."""

    commit: int
    state_digest: str
    accounts: list[AccountLine]
    locks: list[LockLine]
    assets: list[AssetLine]


class Book:
    """The state after a commit, read with names."""

    def __init__(self, state: Mapping[bytes, bytes], epoch: Epoch) -> None:
        self._state = state
        self._epoch = epoch

    @property
    def state(self) -> Mapping[bytes, bytes]:
        """The rows that it reads."""
        return self._state

    def parties(self) -> list[Party]:
        """Members, then hosted users, each by rising kid."""
        users = [user.kid for user in parties.hosted_users(self._state)]
        kids = [member.kid for member in self._epoch.everyone]
        kids += [kid for kid in users if kid not in kids]
        found = (parties.party(self._state, self._epoch, kid) for kid in kids)
        return [party for party in found if party is not None]

    def kid_of(self, word: str) -> bytes:
        """The kid of the party with this name or kid (hex); UsageError unless there is one."""
        found = [party for party in self.parties() if word in (party.name, party.kid.hex())]
        if len(found) == 1:
            return found[0].kid
        if found:
            kids = ", ".join(party.kid.hex() for party in found)
            raise UsageError(f"{len(found)} parties are called {word!r}; name one by kid: {kids}")
        raise UsageError(
            f"no party {word!r}, expected a name or kid of `wattle-gateway party list`"
        )

    def holder(self, kid: bytes) -> Holder:
        """A party by name and kid."""
        party = parties.party(self._state, self._epoch, kid)
        return Holder("" if party is None else party.name, kid.hex())

    def asset(self, name: str) -> Asset | None:
        """An asset, None if there is none."""
        return accounts.asset(self._state, name)

    def lock_named(self, word: str) -> HeldLock:
        """The lock whose digest begins so; UsageError unless there is exactly one."""
        found = [one for one in accounts.locks(self._state) if one.digest.hex().startswith(word)]
        if len(found) != 1:
            raise UsageError(
                f"{len(found)} locks begin with {word!r}, expected a digest of `account show`"
            )
        return found[0]

    def account_lines(self, kid: bytes | None, asset: str | None) -> list[AccountLine]:
        """Accounts by asset and party; of one party or in one asset, if they are given."""
        return [
            self._account_line(account)
            for account in accounts.accounts(self._state)
            if kid in (None, account.party) and asset in (None, account.asset)
        ]

    def lock_lines(self, kid: bytes | None, asset: str | None) -> list[LockLine]:
        """Locks by digest; of which a party is owner or holder, if it is given."""
        return [
            LockLine(
                held.digest.hex(),
                self.holder(held.owner),
                held.asset,
                self._decimals(held.asset),
                held.amount,
                self.holder(held.holder),
                held.until_ms,
            )
            for held in accounts.locks(self._state)
            if kid in (None, held.owner, held.holder) and asset in (None, held.asset)
        ]

    def asset_lines(self, asset: str | None) -> list[AssetLine]:
        """Assets by name, or the one."""
        return [
            AssetLine(
                found.name,
                found.decimals,
                self.holder(found.issuer),
                found.issued,
                found.redeemed,
            )
            for found in accounts.assets(self._state)
            if asset in (None, found.name)
        ]

    def party_lines(self) -> list[PartyLine]:
        """All parties."""
        return [
            PartyLine(
                party.name,
                party.kid.hex(),
                genesis.ROLE_NAMES[party.role],
                None if party.host is None else self.holder(party.host),
            )
            for party in self.parties()
        ]

    def point_lines(self, time_ms: int) -> list[PointLine]:
        """All points of all meters that are not revoked, as they are owned at a time."""
        lines = []
        for meter in registry.meters(self._state):
            for point in meter.points if meter.revoked is None else ():
                owners = ownership.owners(self._state, meter.kid, point)
                now = sum(1 for one in owners if one.from_ms <= time_ms) - 1
                lines.append(
                    PointLine(
                        f"{topics.meter_id(meter.kid)}/{point.device}",
                        transaction.COMMODITY_NAMES[point.commodity],
                        point.rating_w,
                        point.capacity_w,
                        self.holder(owners[now].owner),
                        now,
                        [OwnerLine(one.from_ms, self.holder(one.owner)) for one in owners],
                    )
                )
        return lines

    def _account_line(self, account: Account) -> AccountLine:
        return AccountLine(
            self.holder(account.party),
            account.asset,
            self._decimals(account.asset),
            account.unlocked,
            account.locked,
            account.locks,
        )

    def _decimals(self, name: str) -> int:
        asset = accounts.asset(self._state, name)
        assert asset is not None, name  # an account and a lock are made in an asset that exists
        return asset.decimals
