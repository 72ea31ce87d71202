"""Errors of the settlement check."""


class CannotCheckError(Exception):
    """The files do not say what is needed; the message names what is missing."""
