"""Errors of the contracts. Execution itself never fails on what a block carries."""

from wattle_gateway.errors import GatewayError


class ContractError(GatewayError):
    """The root of what contracts raise."""


class StateError(ContractError):
    """A stored state value that is not what contracts wrote: the store is damaged."""


class RunsFullError(ContractError):
    """A sample that would need more runs than a meter may have: propose it again later."""
