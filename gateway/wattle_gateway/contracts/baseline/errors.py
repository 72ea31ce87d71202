"""Errors of the baseline engine."""

from wattle_gateway.contracts.errors import ContractError


class BaselineError(ContractError):
    """The root of what the engine raises."""


class RuleError(BaselineError):
    """A rule whose parameters cannot be meant: the message names the parameter."""


class EventError(BaselineError):
    """A window that the intervals of the data cannot measure."""


class HistoryError(BaselineError):
    """Too little usable data for the rule: the message counts what was passed over, and why."""
