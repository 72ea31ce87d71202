"""The files of an exchange, and what is held against what.

`<meter>.reading.json`: `{"format": 1, "ledger_id", "site", "meter", "proof": hex, "sample": hex}`,
a real sample of a meter and the proof that names its key; both verify without anything else.
`<old>-<new>.exchange.json`: `{"format": 1, "ledger_id", "site", "old": that or {"meter", "typed":
{"<d>": {"ei": Wh, "ee": Wh}}}, "new": that, "registers": [{"d", "final": {..}, "first": {..},
"continues": true or false}]}`. It is signed by the meters' samples in it; as a whole by the audit
record, whose entry `replace` has its SHA-256.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattle_wire import cose, p256, sample_reader, topics
from wattle_wire.errors import WireError

from wattle_tools import proof
from wattle_tools.errors import BoardError, ExchangeError, reason_of

_FORMAT = 1
# A sample has at most 16 KiB, in hex twice that.
FILE_BYTES_MAX = 40_000
REGISTERS = ("ei", "ee")
_TOLD = "take one that `wattle-tool replace read` wrote"

# Device number -> register -> Wh
Energies = Mapping[int, Mapping[str, int]]


@dataclass(frozen=True)
class SignedReading:
    """A verified sample of a meter: `energies` as it shows them."""

    ledger_id: bytes
    site: str
    meter: str
    proof: bytes
    sample: bytes
    energies: Energies

    def row(self) -> dict[str, object]:
        """As it stands in files."""
        return {
            "format": _FORMAT,
            "ledger_id": self.ledger_id.hex(),
            "site": self.site,
            "meter": self.meter,
            "proof": self.proof.hex(),
            "sample": self.sample.hex(),
        }


def verified(ledger_id: bytes, site: str, proved: bytes, raw: bytes, source: str) -> SignedReading:
    """The reading that a proof and a sample make. Raises ExchangeError unless both verify under one
    key for the ledger, and the sample has energies.
    """
    try:
        holder = proof.parse(proved, ledger_id, source)
        signed = cose.parse_sign1("sample", ledger_id, raw)
        p256.verify(holder.signing_public, signed.digest, signed.signature)
        content = sample_reader.decode(signed.payload)
    except (WireError, BoardError) as error:
        raise ExchangeError(f"{source}: it does not verify: {reason_of(error)}", _TOLD) from error
    energies: dict[int, dict[str, int]] = {}
    for reading in content.readings:
        found = {
            name: value for name in REGISTERS if isinstance(value := reading.values.get(name), int)
        }
        if found:
            energies[reading.device] = found
    if topics.meter_id(signed.kid) != holder.meter or not energies:
        raise ExchangeError(f"{source}: no energies under the key of {holder.meter}", _TOLD)
    return SignedReading(ledger_id, site, holder.meter, proved, raw, energies)


def load(path: Path) -> SignedReading:
    """A reading from its file. Raises ExchangeError."""
    try:
        with path.open("rb") as file:
            row = json.loads(file.read(FILE_BYTES_MAX))
        if row["format"] != _FORMAT:
            raise ValueError(row["format"])
        ledger_id, site = bytes.fromhex(row["ledger_id"]), str(row["site"])
        proved, raw = bytes.fromhex(row["proof"]), bytes.fromhex(row["sample"])
        topics.check_site(site)
    except OSError as error:
        raise ExchangeError(f"{path}: cannot be read: {error.strerror}", _TOLD) from error
    except (ValueError, KeyError, TypeError, WireError) as error:
        raise ExchangeError(f"{path}: not a meter's reading", _TOLD) from error
    return verified(ledger_id, site, proved, raw, str(path))


def typed(text: str) -> tuple[int, dict[str, int]]:
    """D:ei=WH[,ee=WH], read off a display. Raises ValueError."""
    expected = f"{text!r}, expected D:ei=WH[,ee=WH]"
    device, _, rest = text.partition(":")
    found: dict[str, int] = {}
    for part in rest.split(","):
        name, _, number = part.partition("=")
        if name not in REGISTERS or name in found or not number.isdecimal():
            raise ValueError(expected)
        found[name] = int(number)
    if not device.isdecimal() or not 1 <= int(device) <= 32:
        raise ValueError(expected)
    return int(device), found


def exchange(
    old_meter: str, old: SignedReading | None, final: Energies, new: SignedReading
) -> bytes:
    """The file of an exchange; `old` None: the final registers were `typed` from a display.

    Raises ExchangeError when the two do not belong together.
    """
    if old is not None and (old.ledger_id, old.site) != (new.ledger_id, new.site):
        raise ExchangeError(
            f"{old.meter} is of site {old.site}, {new.meter} of {new.site}, or of another ledger",
            "take the readings of one place",
        )
    if sorted(final) != sorted(new.energies):
        raise ExchangeError(
            f"the old has devices {_numbers(final)}, the new {_numbers(new.energies)}",
            "provision the new one for the same devices",
        )
    registers = []
    for device, before in sorted(final.items()):
        first = new.energies[device]
        shared = [name for name in REGISTERS if name in before and name in first]
        registers.append(
            {
                "d": device,
                "final": dict(before),
                "first": dict(first),
                # Not: another metering device, whose counters begin anew.
                "continues": all(first[name] >= before[name] for name in shared),
            }
        )
    row = {
        "format": _FORMAT,
        "ledger_id": new.ledger_id.hex(),
        "site": new.site,
        "old": old.row() if old else {"meter": old_meter, "typed": final},
        "new": new.row(),
        "registers": registers,
    }
    return (json.dumps(row, indent=1) + "\n").encode()


def _numbers(energies: Energies) -> str:
    return ", ".join(map(str, sorted(energies)))
