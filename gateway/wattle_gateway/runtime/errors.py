"""Why a ledger must stop for good: going on would make it worse."""

from wattle_gateway.errors import GatewayError


class DivergenceError(GatewayError):
    """This gateway's ledger is not the one that the others vote for. Do not open it again:
    compare it with a peer's (`audit --compare`), then repair it."""
