"""W(S, T) once more, as dumb as can be: no balances are kept, only who gave what to whom.

Written from SPEC section 12 with names instead of keys and codes instead of exceptions; nothing
of the contracts is used. A balance is a sum over all postings so far, of which each takes from
one purse what it gives to another: money comes out of the purse "mint" and ends in "burnt".
"""

from dataclasses import dataclass, field

MINT, BURNT = "mint", "burnt"
HUGE = 10**18


@dataclass
class TwinLock:
    """An amount in the purse `lock <number>`, named by the digest of its transaction."""

    owner: str
    asset: str
    amount: int
    holder: str
    until_ms: int
    ended: bool = False


@dataclass
class AccountTwin:
    """`roles` of everybody by name; `postings` (asset, from, to, amount)."""

    roles: dict[str, int]
    postings: list[tuple[str, str, str, int]] = field(default_factory=list)
    declared: dict[str, tuple[str, int]] = field(default_factory=dict)
    opened: set[tuple[str, str]] = field(default_factory=set)
    locks: dict[bytes, TwinLock] = field(default_factory=dict)

    def balance(self, purse: str, asset: str) -> int:
        """What came in less what went out."""
        came = sum(amount for a, _, to, amount in self.postings if (a, to) == (asset, purse))
        went = sum(amount for a, by, _, amount in self.postings if (a, by) == (asset, purse))
        return came - went

    def locked(self, who: str, asset: str) -> int:
        """What lies in somebody's locks."""
        return sum(self.balance(self._purse(d), asset) for d, _ in self._open_locks(who, asset))

    def lock_count(self, who: str, asset: str) -> int:
        """How many locks somebody has."""
        return len(self._open_locks(who, asset))

    def issued(self, asset: str) -> int:
        """All that ever came from the mint."""
        return -self.balance(MINT, asset)

    def open(self, who: str, asset: str) -> int:
        """Kind 6."""
        if self.roles[who] == 7:
            return 3
        if asset not in self.declared:
            return 21
        if (who, asset) in self.opened:
            return 22
        self.opened.add((who, asset))
        return 0

    def issue(self, who: str, asset: str, decimals: int, to: str, amount: int) -> int:
        """Kind 7."""
        if self.roles[who] > 5:
            return 3
        if not 0 <= decimals <= 9 or not 1 <= amount <= HUGE:
            return 1
        if asset not in self.declared:
            if to != who:
                return 24
            self.declared[asset] = (who, decimals)
            self.opened.add((who, asset))
        elif self.declared[asset][0] != who:
            return 27
        elif self.declared[asset][1] != decimals:
            return 28
        elif (to, asset) not in self.opened:
            return 24
        elif self.issued(asset) + amount > HUGE:
            return 29
        self.postings.append((asset, MINT, to, amount))
        return 0

    def redeem(self, who: str, asset: str, amount: int) -> int:
        """Kind 8."""
        if self.roles[who] > 5:
            return 3
        if not 1 <= amount <= HUGE:
            return 1
        if asset not in self.declared:
            return 21
        if (who, asset) not in self.opened:
            return 23
        if self.declared[asset][0] != who:
            return 27
        return self._move(asset, who, BURNT, amount)

    def transfer(self, who: str, asset: str, to: str, amount: int) -> int:
        """Kind 9."""
        refusal = self._between(who, asset, to, amount)
        return refusal or self._move(asset, who, to, amount)

    def lock(
        self, who: str, asset: str, amount: int, holder: str, until_ms: int, digest: bytes
    ) -> int:
        """Kind 10."""
        refusal = self._between(who, asset, holder, amount)
        if refusal:
            return refusal
        if amount > self.balance(who, asset):
            return 26
        if self.lock_count(who, asset) == 64:
            return 30
        self.locks[digest] = TwinLock(who, asset, amount, holder, until_ms)
        return self._move(asset, who, self._purse(digest), amount)

    def unlock(self, who: str, digest: bytes, taken: int, time_ms: int) -> int:
        """Kind 11."""
        if self.roles[who] == 7:
            return 3
        if not 0 <= taken <= HUGE:
            return 1
        found = self.locks.get(digest)
        if found is None or found.ended:
            return 31
        over = time_ms > found.until_ms
        if who != (found.owner if over else found.holder):
            return 32
        if taken > (0 if over else found.amount):
            return 33
        found.ended = True
        purse = self._purse(digest)
        self.postings.append((found.asset, purse, found.holder, taken))
        self.postings.append((found.asset, purse, found.owner, found.amount - taken))
        return 0

    def _between(self, who: str, asset: str, other: str, amount: int) -> int:
        if self.roles[who] == 7:
            return 3
        if not 1 <= amount <= HUGE:
            return 1
        if asset not in self.declared:
            return 21
        if (who, asset) not in self.opened:
            return 23
        if who == other:
            return 25
        return 0 if (other, asset) in self.opened else 24

    def _move(self, asset: str, by: str, to: str, amount: int) -> int:
        if amount > self.balance(by, asset):
            return 26
        self.postings.append((asset, by, to, amount))
        return 0

    def _open_locks(self, who: str, asset: str) -> list[tuple[bytes, TwinLock]]:
        return [
            (digest, found)
            for digest, found in self.locks.items()
            if (found.owner, found.asset, found.ended) == (who, asset, False)
        ]

    @staticmethod
    def _purse(digest: bytes) -> str:
        return f"lock {digest.hex()}"
