"""`supervise report`: what a regulator asks of an alliance, from the state alone.

Prices as published and as paid, the use of funds, penalties and who bears them, faults, disputes,
who is suspended, and how much of the market one provider has. It covers the events whose window
begins in a span and that the state still holds; how many it holds no more is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from wattle_wire import cbor, topics

from wattle_gateway.contracts.accounts import Asset, assets
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.expiry import forgotten
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.measurement.primary import divided
from wattle_gateway.contracts.reputation.standing import Standing, standing, standings
from wattle_gateway.contracts.settlement import disputes, funds, paying, results
from wattle_gateway.contracts.settlement.carried import carried
from wattle_gateway.contracts.settlement.disputes import DisputeRow
from wattle_gateway.contracts.settlement.funds import HeldFund
from wattle_gateway.contracts.settlement.lines import CALLED, MJ_PER_MWH
from wattle_gateway.contracts.settlement.paying import Paid
from wattle_gateway.contracts.settlement.results import ResultLine, ResultRow
from wattle_gateway.contracts.state import State, prefix
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.market import PERMILLE, Market
from wattle_gateway.ledger.offer_bodies import DOWN
from wattle_gateway.ledger.transaction import DIGEST_BYTES
from wattle_gateway.reports.accounts import Book, Holder

_MWH_PER_MEGAWATT_HOUR = 10**9


@dataclass(frozen=True)
class Part:
    """What a selected resource did in an event, and its newest statement."""

    quota: QuotaRow
    row: ResultRow
    disputes: tuple[DisputeRow, ...]

    def delivered_mwh(self, direction: int) -> int:
        """What it adjusted in the direction asked while it was called; an interval in which it
        went the other way counts nothing. Rounded toward zero once (D2)."""
        return divided(sum(_delivered_mj(line, direction) for line in self.row.lines), MJ_PER_MWH)

    @property
    def availability(self) -> int:
        """Paid for being ready."""
        return sum(line.availability for line in self.row.lines)

    @property
    def energy_paid(self) -> int:
        """Paid for what was delivered."""
        return sum(line.energy_paid for line in self.row.lines)

    @property
    def penalty(self) -> int:
        """Charged for what was not."""
        return sum(line.penalty for line in self.row.lines)

    @property
    def decided(self) -> int:
        """What decisions of disputes add."""
        return sum(one.decision.amount for one in self.disputes if one.decision is not None)

    @property
    def corrected(self) -> int:
        """What came after the final statement."""
        return 0 if self.row.correction is None else self.row.correction.amount

    @property
    def bearers(self) -> list[tuple[bytes, int]]:
        """(kid, part of the penalty): it is split as the net is, between who declared the resource
        and who owns it."""
        quota = self.quota
        parts = paying.shares(self.penalty, quota.origin, quota.owner, self.row.split_permille)
        return list(paying.summed(parts).items())


@dataclass(frozen=True)
class Account:
    """An event with all that the state says of its money: `parts` selected, `paid` by payee."""

    event: EventRow
    publisher: Holder
    asset: Asset
    parts: tuple[Part, ...]
    quotas: tuple[QuotaRow, ...]
    paid: Mapping[bytes, Paid]

    @property
    def delivered_mwh(self) -> int:
        """What all of them adjusted."""
        return sum(part.delivered_mwh(self.event.body.direction) for part in self.parts)

    @property
    def energy_paid(self) -> int:
        """Paid for it."""
        return sum(part.energy_paid for part in self.parts)


@dataclass(frozen=True)
class Share:
    """A provider's part of what was delivered, and of what was paid in one asset."""

    provider: Holder
    asset: str
    delivered_mwh: int
    amount: int
    delivered_permille: int
    amount_permille: int


@dataclass(frozen=True)
class Concentration:
    """Of one asset: the largest provider's share of the energy delivered (permille), and the
    Herfindahl-Hirschman index (sum of squared percentages, 10,000 for a single provider)."""

    asset: str
    providers: int
    largest: Holder
    largest_permille: int
    index: int


@dataclass(frozen=True)
class Fine:
    """What a party bears of penalties of events that `payer` (a publisher, or a fund by its purpose
    and digest) pays for, in an asset."""

    bearer: Holder
    payer: Holder
    asset: str
    amount: int
    intervals: int
    events: int


@dataclass(frozen=True)
class Debt:
    """What `payer` owes `payee` from earlier events and pays with the next one; below 0 what the
    payee owes."""

    payer: Holder
    payee: Holder
    asset: str
    amount: int


class Supervision:
    """The state after a commit, read as a regulator reads it; `span` (from, to) Unix ms or None."""

    def __init__(
        self,
        state: Mapping[bytes, bytes],
        epoch: Epoch,
        market: Market,
        time_ms: int,
        span: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self.state = State(state)
        self._rows = state
        self._market = market
        self._time_ms = time_ms
        self._span = span
        self.epoch = epoch
        self.book = Book(state, epoch)
        self.assets = {asset.name: asset for asset in assets(state)}

    @property
    def forgotten(self) -> int:
        """How many events the state holds no more."""
        return forgotten(self.state)

    @cached_property
    def accounts(self) -> list[Account]:
        """The events of the span, by beginning."""
        begin_ms, end_ms = self._span
        return [
            self._account(event)
            for event in rows.events(self._rows)
            if (begin_ms is None or event.begin_ms >= begin_ms)
            and (end_ms is None or event.begin_ms < end_ms)
        ]

    def funds(self) -> list[HeldFund]:
        """All funds, by digest."""
        return [
            funds.decode(row[-DIGEST_BYTES:], value)
            for row, value in self.state.rows(prefix("fund", 1))
        ]

    def standings(self) -> list[Standing]:
        """Everybody who has a score or a fault, by kid."""
        return standings(self._rows, self._market, self._time_ms)

    def standing(self, kid: bytes) -> Standing:
        """Of one party; the start values for who has neither score nor fault."""
        return standing(self.state, self._market, kid, self._time_ms)

    def fines(self) -> list[Fine]:
        """Who bears which penalties, by bearer, payer and asset."""
        found: dict[tuple[bytes, bytes, str], tuple[int, int, set[bytes]]] = {}
        for account in self.accounts:
            payer = paying.payer_of(account.event)
            for part in account.parts:
                count = sum(1 for line in part.row.lines if line.penalty)
                for kid, amount in part.bearers:
                    if amount:
                        key = (kid, payer, account.asset.name)
                        sum_, intervals, events = found.setdefault(key, (0, 0, set()))
                        events.add(account.event.digest)
                        found[key] = (sum_ + amount, intervals + count, events)
        return [
            Fine(self.book.holder(kid), self.payer(payer), asset, amount, intervals, len(events))
            for (kid, payer, asset), (amount, intervals, events) in sorted(found.items())
        ]

    def debts(self) -> list[Debt]:
        """All that is carried from earlier events, of any time."""
        found = []
        for row, _ in self.state.rows(prefix("carried", 3)):
            payer, payee, asset = _between(row)
            amount = carried(self.state, payer, payee, asset)
            found.append(Debt(self.payer(payer), self.book.holder(payee), asset, amount))
        return found

    def payer(self, who: bytes) -> Holder:
        """Who pays for an event: a party by its kid, or a fund (digest) by its purpose."""
        held = funds.fund(self.state, who) if len(who) == DIGEST_BYTES else None
        return self.book.holder(who) if held is None else Holder(f"fund {held.purpose}", who.hex())

    def shares(self) -> list[Share]:
        """Each provider (who declared), by asset, largest first."""
        energies: dict[str, dict[bytes, int]] = {}
        amounts: dict[str, dict[bytes, int]] = {}
        for account in self.accounts:
            of_energy = energies.setdefault(account.asset.name, {})
            of_amount = amounts.setdefault(account.asset.name, {})
            for part in account.parts:
                kid = part.quota.origin
                delivered_mwh = part.delivered_mwh(account.event.body.direction)
                of_energy[kid] = of_energy.get(kid, 0) + delivered_mwh
                gross = part.availability + part.energy_paid
                of_amount[kid] = of_amount.get(kid, 0) + gross
        return [
            Share(
                self.book.holder(kid),
                asset,
                energy,
                amounts[asset][kid],
                _permille(energy, energies[asset].values()),
                _permille(amounts[asset][kid], amounts[asset].values()),
            )
            for asset in sorted(energies)
            for kid, energy in sorted(energies[asset].items(), key=lambda one: (-one[1], one[0]))
        ]

    def concentration(self) -> list[Concentration]:
        """Of each asset in which something was delivered."""
        found = []
        shares = self.shares()
        for asset in sorted({share.asset for share in shares}):
            own = [share for share in shares if share.asset == asset]
            total = sum(share.delivered_mwh for share in own)
            if total:
                squares = sum(share.delivered_mwh**2 for share in own)
                index = squares * 10_000 // total**2
                largest = own[0]
                found.append(
                    Concentration(
                        asset, len(own), largest.provider, largest.delivered_permille, index
                    )
                )
        return found

    def _account(self, event: EventRow) -> Account:
        quotas = tuple(rows.quotas(self.state, event))
        parts = []
        for quota in quotas:
            row = results.result(self.state, event.digest, quota.meter, quota.device)
            if row is not None:
                told = disputes.of(self.state, row.disputes)
                parts.append(Part(quota, row, tuple(told)))
        payees = {kid for part in parts for kid in (part.quota.origin, part.quota.owner)}
        paid = {
            kid: found
            for kid in sorted(payees)
            if (found := paying.paid(self.state, event.digest, kid)) is not None
        }
        asset = self.assets[event.body.asset]
        holder = self.book.holder(event.publisher)
        return Account(event, holder, asset, tuple(parts), quotas, paid)


def point_name(quota: QuotaRow) -> str:
    """METER/D."""
    return f"{topics.meter_id(quota.meter)}/{quota.device}"


def price_mwh(amount: int, energy_mwh: int) -> int | None:
    """What was paid per MWh, in the asset's smallest unit, rounded toward zero; None if nothing
    was delivered."""
    return divided(amount * _MWH_PER_MEGAWATT_HOUR, energy_mwh) if energy_mwh > 0 else None


def _delivered_mj(line: ResultLine, direction: int) -> int:
    if line.status != CALLED or line.baseline_mj is None or line.energy.energy_mwh is None:
        return 0
    reduction_mj = line.baseline_mj - line.energy.energy_mwh * MJ_PER_MWH
    return max(0, reduction_mj if direction == DOWN else -reduction_mj)


def _between(row: bytes) -> tuple[bytes, bytes, str]:
    """(payer, payee, asset) of the key of a row `carried`."""
    ids = cbor.decode(row)
    payer, payee, asset = ids[1:] if isinstance(ids, list) and len(ids) == 4 else (None,) * 3
    if isinstance(payer, bytes) and isinstance(payee, bytes) and isinstance(asset, str):
        return payer, payee, asset
    raise StateError(f"state key {row.hex()}: not of a debt")


def _permille(part: int, whole: Iterable[int]) -> int:
    total = sum(whole)
    return part * PERMILLE // total if total else 0
