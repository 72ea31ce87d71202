"""One life of a meter in a soak: FOLDER SEED RTC SIGNATURES MUTANT, until the power fails.

The production App with all its tasks. What is replaced: the board (soak_board), asyncio's clock
and poller (soak_world), and with SIGNATURES `cheap` the signer: a hash in the place of a
signature, with as many slices, each of which takes the time that one takes on an ESP32. RTC is
Unix ms of the real-time clock or `none`; MUTANT plants a fault (soak_mutants), `none` does not.
"""

import asyncio
import hashlib
import struct
from asyncio import core

from soak_board import SoakBoard
from soak_world import World
from wattle_meter import app, journal
from wattle_meter.signer import Signer, SoftwareSigner
from wattle_wire import cose

# A signature has 16 slices (wattle_wire.p256); an ESP32 takes about 110 ms for all of them.
SLICES = 16
SLICE_MS = 7


def cheap_signer(world):
    class HashSigner(Signer):
        """Signs with two hashes; in the form of a signature (s below n/2)."""

        def __init__(self, pair):
            self.kid = cose.kid_of(pair.public)

        def steps(self, digest):
            for _ in range(SLICES):
                world.spend(SLICE_MS)
                yield None
            half = hashlib.sha256(self.kid + digest).digest()
            yield half + b"\x00" + half[1:]

    return HashSigner


def slow_signer(world):
    class TimedSigner(SoftwareSigner):
        """The real one, whose slices take the time of an ESP32."""

        def steps(self, digest):
            for step in super().steps(digest):
                world.spend(SLICE_MS)
                yield step

    return TimedSigner


def tapped_seal(world):
    """Tells the world everything that is signed, delivered or not."""
    seal = journal.seal

    async def told(signer, kind, ledger_id, payload, clock):
        world.tell(b"G", struct.pack(">I", world.now_ms), payload)
        return await seal(signer, kind, ledger_id, payload, clock)

    return told


def main(arguments):
    """Gives the exit code: 0 after a clean stop."""
    folder, seed, rtc, signatures, mutant = arguments
    world = World()
    core.ticks = world.ticks
    core._io_queue = world
    app.SoftwareSigner = (cheap_signer if signatures == "cheap" else slow_signer)(world)
    journal.seal = tapped_seal(world)
    if mutant != "none":
        import soak_mutants

        soak_mutants.plant(mutant)
    rtc_ms = None if rtc == "none" else int(rtc)
    try:
        meter = app.Meter(SoakBoard(world, folder, seed.encode(), rtc_ms))
    except OSError:
        world.tell(b"U")
        return 1
    asyncio.run(meter.run())
    world.tell(b"E")
    return 0
