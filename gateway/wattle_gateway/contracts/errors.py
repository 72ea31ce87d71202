"""Errors of the contracts. Execution itself never fails on what a block carries."""

from wattle_gateway.errors import GatewayError


class ContractError(GatewayError):
    """The root of what contracts raise."""


class StateError(ContractError):
    """A stored state value that is not what contracts wrote: the store is damaged."""


class RefusedError(ContractError):
    """Carries the refusal code of a transaction to the one place that makes it a verdict."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refusal {code}")
        self.code = code


class RunsFullError(ContractError):
    """A sample that would need more runs than a meter may have: propose it again later."""


class SnapshotError(ContractError):
    """A snapshot that is damaged, or of another ledger or history than it should be."""
