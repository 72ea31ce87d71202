"""Errors of the ledger formats, by whose fault they are."""

from collections.abc import Iterator
from contextlib import contextmanager

from wattle_wire.errors import WireError

from wattle_gateway.errors import GatewayError


class LedgerError(GatewayError):
    """Bytes or values that the ledger's formats do not allow."""


class FormatError(LedgerError):
    """Bytes that are not what SPEC says they should be."""


class LimitError(FormatError):
    """Bytes or a value beyond a stated limit."""


class SignatureError(LedgerError):
    """A signature that does not verify, or a key that is no point of the curve."""


class BlockError(LedgerError):
    """A well-formed block that breaks a rule of validity: refused for ever, by everybody."""


class RulesError(LedgerError):
    """Rules that this gateway does not know: it can follow the ledger no further."""


class ProofError(LedgerError):
    """A Merkle proof that does not prove what it claims."""


@contextmanager
def wire_errors_named(what: str) -> Iterator[None]:
    """Turn a WireError inside the block into a FormatError that names `what`."""
    try:
        yield
    except WireError as error:
        raise FormatError(f"{what}: {error}") from error
