"""What a technician has an ESP32 do at its prompt, the meter stopped: make its keys, prove them.

No meter calls it: `wattle-tool provision` brings it along, linked like the probe. Private keys are
made here and stay in the store; what is printed is public.
"""

import binascii
import os

import network
from nvs_store import NvsStore
from wattle_meter import identity
from wattle_meter.board import Random
from wattle_meter.signer import SoftwareSigner

# That of esp32_board: NVS is not encrypted unless flash encryption is burnt in.
PROTECTION = "file"
_STORE = "wattle"  # that of esp32_board


class RadioRandom(Random):
    """The chip's random source; a true one, because `main` has switched the radio on."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


def main(ledger_id: str) -> None:
    """Prints the enrolment proof (SPEC section 7) for the ledger (32 hex digits), in hex.

    Raises KeyDamagedError, OSError.
    """
    radio = network.WLAN(network.STA_IF)
    radio.active(True)
    mac = radio.config("mac")
    keys = identity.keys_of(NvsStore(_STORE), RadioRandom())
    proof = identity.enrolment_proof(
        keys,
        SoftwareSigner(keys.signing),
        mac[:3] + b"\xff\xfe" + mac[3:],
        binascii.unhexlify(ledger_id),
        PROTECTION,
    )
    print(binascii.hexlify(proof).decode())
