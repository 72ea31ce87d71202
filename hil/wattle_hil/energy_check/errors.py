"""What can go wrong in a check, apart from the failures it reports."""


class CannotCheckError(Exception):
    """The input does not allow a check; the message says what is wrong with it."""


class BadSampleError(Exception):
    """Bytes that are not a signed sample as SPEC has it."""
