"""Every error the wire package raises, under one root.

Untrusted bytes never raise anything but a WireError: a caller that handles
bytes from outside catches this one class and nothing else.
"""


class WireError(ValueError):
    """Bytes or numbers that the wire format does not allow."""


class SignatureError(WireError):
    """A signature that is malformed, out of range or does not verify."""


class PointError(WireError):
    """A public key that is not an acceptable point of P-256."""


class MacError(WireError):
    """A message authentication code that does not match."""


class MalformedError(WireError):
    """Bytes that break a format, or a value that the format cannot carry."""


class TruncatedError(MalformedError):
    """Bytes that end inside an item: more of them might make it whole."""


class LimitError(MalformedError):
    """Bytes or a value beyond a stated limit."""
