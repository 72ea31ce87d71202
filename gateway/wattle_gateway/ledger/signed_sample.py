"""A meter's sample as the gateway meets it: parsed, its signature not yet verified."""

from dataclasses import dataclass, field

from wattle_wire import cose
from wattle_wire.sample import SAMPLE_BYTES_MAX, Sample

from wattle_gateway.ledger.errors import LimitError, wire_errors_named
from wattle_gateway.ledger.reading_forms import SampleForms

# One memory for all who parse: meters of a kind share their forms.
_FORMS = SampleForms()


@dataclass(frozen=True)
class SignedSample:
    """`raw` the COSE_Sign1 bytes, `kid` (8 bytes) whose key must verify `signature` over
    `digest` (32 bytes), `sample` the decoded content."""

    raw: bytes
    kid: bytes
    digest: bytes
    signature: bytes
    sample: Sample = field(compare=False)  # it follows from `raw`


def parse(raw: bytes, ledger_id: bytes) -> SignedSample:
    """Take a sample apart (SPEC sections 3 and 5). The signature is NOT verified here.

    Raises LimitError above 16,384 bytes, FormatError for whatever else is not a sample.
    """
    if len(raw) > SAMPLE_BYTES_MAX:
        raise LimitError(f"sample of {len(raw)} bytes, expected at most {SAMPLE_BYTES_MAX}")
    with wire_errors_named("sample"):
        signed = cose.parse_sign1("sample", ledger_id, raw)
        content = _FORMS.decode(signed.payload)
    return SignedSample(raw, signed.kid, signed.digest, signed.signature, content)
