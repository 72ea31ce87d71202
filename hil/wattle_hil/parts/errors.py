"""Errors of fetching and finding parts."""

from wattle_hil.errors import HilError


class PartError(HilError):
    """A part could not be fetched; the message says why and what helps."""


class PartMissingError(PartError):
    """A part is not on this machine; the message says why and what to do."""
