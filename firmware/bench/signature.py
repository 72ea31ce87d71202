"""Cost of one signature on this interpreter; prints one line of JSON. Run on the device:

    {"signatures": how many were made, "sign_us": median, "sign_us_max": .., "slice_us_max":
     longest time between two yields, "garbage_bytes": heap bytes that one allocates,
     "kept_bytes": heap that all of them leave taken, "verify_us": of one check,
     "verify_slice_us_max": .., "verify_garbage_bytes": .., "ecdh_us": of one key agreement,
     "ecdh_slice_us_max": ..}

`wattle_hil.bench` runs it on the 32-bit interpreter, whose objects are those of a board, and on
the emulated board, whose microseconds are instructions there.
"""

import gc
import hashlib
import json
import time

from wattle_wire import p256

SIGNATURES = 50
_PRIVATE = bytes(31) + b"\x05"  # protects nothing


def measure(count: int = SIGNATURES) -> dict[str, int]:
    """Signs `count` digests; times in microseconds, sizes in bytes."""
    times = [0] * count
    longest_slice_us = 0
    public = p256.public_from_private(_PRIVATE)
    signature = digest = b""
    gc.collect()
    before = gc.mem_alloc()
    for number in range(count):
        digest = hashlib.sha256(b"%d" % number).digest()
        times[number], slice_us, signature = _time(p256.sign_steps(_PRIVATE, digest))
        longest_slice_us = max(longest_slice_us, slice_us)
    gc.collect()
    kept = gc.mem_alloc() - before
    times.sort()
    verify_us, verify_slice_us, _ = _time(p256.verify_steps(public, digest, signature))
    ecdh_us, ecdh_slice_us, _ = _time(p256.ecdh_steps(_PRIVATE, public))
    return {
        "signatures": count,
        "sign_us": times[count // 2],
        "sign_us_max": times[-1],
        "slice_us_max": longest_slice_us,
        "garbage_bytes": _garbage(p256.sign_steps(_PRIVATE, bytes(32))),
        "kept_bytes": kept,
        "verify_us": verify_us,
        "verify_slice_us_max": verify_slice_us,
        "verify_garbage_bytes": _garbage(p256.verify_steps(public, digest, signature)),
        "ecdh_us": ecdh_us,
        "ecdh_slice_us_max": ecdh_slice_us,
    }


def _time(steps) -> tuple[int, int, bytes]:  # type: ignore[no-untyped-def]
    """(time, longest slice, what came last) of a computation in slices."""
    longest_us = 0
    found = b""
    start = last = time.ticks_us()
    for step in steps:
        found = step
        now = time.ticks_us()
        longest_us = max(longest_us, time.ticks_diff(now, last))
        last = now
    end = time.ticks_us()
    longest_us = max(longest_us, time.ticks_diff(end, last))
    return time.ticks_diff(end, start), longest_us, found


def _garbage(steps) -> int:  # type: ignore[no-untyped-def]
    """Bytes that a computation allocates, slice by slice: a small heap cannot hold them at once."""
    total = 0
    try:
        while True:
            gc.collect()
            gc.disable()
            before = gc.mem_alloc()
            next(steps)
            total += gc.mem_alloc() - before
            gc.enable()
    except StopIteration:
        return total
    finally:
        gc.enable()


if __name__ == "__main__":
    print(json.dumps(measure()))
