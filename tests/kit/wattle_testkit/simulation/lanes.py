"""The lanes of a member's transactions: one under way in each, with the nonce that is due."""

from collections.abc import Container

from wattle_gateway.ledger.transaction import LANES


class Lanes:
    """`latencies_ms` of those that became final: from durable to final at their own gateway."""

    def __init__(self) -> None:
        self.latencies_ms: list[int] = []
        self._under_way: dict[int, tuple[bytes, int]] = {}
        self._nonces: dict[int, int] = {}

    def free(self) -> int | None:
        """A lane in which nothing waits, None if there is none."""
        return next((lane for lane in range(LANES) if lane not in self._under_way), None)

    def take_nonce(self, lane: int, due: int) -> int:
        """The nonce to use; `due` by the own state, which after a start may lag behind what the
        lane has seen."""
        nonce = max(due, self._nonces.get(lane, 0))
        self._nonces[lane] = nonce + 1
        return nonce

    def sent(self, lane: int, digest: bytes, now_ms: int) -> None:
        """A transaction is on its way. A lane whose transaction is lost is never used again."""
        self._under_way[lane] = (digest, now_ms)

    def recorded(self, digests: Container[bytes], now_ms: int) -> None:
        """These transactions have a leaf now."""
        for lane, (digest, durable_ms) in list(self._under_way.items()):
            if digest in digests:
                self.latencies_ms.append(now_ms - durable_ms)
                del self._under_way[lane]

    def forget(self, digests: Container[bytes]) -> None:
        """These transactions have got a leaf while the gateway was down."""
        for lane, (digest, _) in list(self._under_way.items()):
            if digest in digests:
                del self._under_way[lane]
