"""A metering device read as the meter reads it, by a laptop that has the line itself.

`wattle-tool read --profile` runs this on CPython: profile, search for a SunSpec model, plan of
reads and arithmetic are the meter's own, only the line is the laptop's. It says JSON objects, one
a line, and after each `ask` waits for an answer on standard input:

    {"line": [baud, parity, stop bits], "function": 3, "pause_ms": 50, "sunspec": false}    first
    {"ask": [address, count]}              answered by the words, or null if the device refuses
    {"model": 203, "base": 40070}          where a SunSpec model begins (its ID register)
    {"no_model": {"wanted": [203], "bases": [40000, 0], "there": [[1, 66]]}}     instead, last
    {"values": {"u1": 2300, "u3": "N"}}    last: the wire's integers, or letters of OCMF
    {"error": "..."}                       last, for a profile that does not hold
"""

import json
import sys

from wattle_meter import profile as profile_module
from wattle_meter.errors import MeterError
from wattle_meter.profile import Profile
from wattle_meter.read_plan import plan_reads
from wattle_meter.sunspec import MARKER, Discovery
from wattle_wire.quantity import OTHER_ERROR

_HEAD_WORDS = 2  # model and length
_END = 0xFFFF


def main(path: str) -> None:
    """Reads one device by the profile at `path`."""
    try:
        found, _ = profile_module.load(path)
    except (MeterError, OSError) as error:
        _say({"error": str(error)})
        return
    line = [found.line.baud, found.line.parity, found.line.stop_bits]
    is_sunspec = bool(found.models)
    how = {"function": found.function, "pause_ms": found.pause_ms, "sunspec": is_sunspec}
    _say({"line": line, **how})
    base = _base(found) if is_sunspec else 0
    if base is None:
        return
    values: dict[str, int | str] = {}
    for read in plan_reads(found, sorted(found.registers)):
        words = _asked(base + read.address, read.count)
        if words is None:
            values.update({name: OTHER_ERROR for name, _ in read.fields})
        else:
            values.update(read.values(words, found.low_first))
    _say({"values": values})


def _base(profile: Profile) -> int | None:
    """Where one of the profile's models begins; None if the device has none, which is said."""
    discovery = Discovery(profile)
    heads: list[list[int]] = []
    while discovery.base is None:
        if discovery.rounds:
            there = [head for head in heads if head[0] != _END]
            wanted = {"wanted": profile.models, "bases": profile.bases, "there": there}
            _say({"no_model": wanted})
            return None
        address, count = discovery.question()
        words = _asked(address, count)
        if words is None:
            discovery.refused()
            continue
        if words[: len(MARKER)] == MARKER or count < len(MARKER) + _HEAD_WORDS:
            heads.append(words[-_HEAD_WORDS:])
        discovery.answered(words)
    _say({"model": heads[-1][0], "base": discovery.base})
    return discovery.base


def _asked(address: int, count: int) -> list[int] | None:
    _say({"ask": [address, count]})
    words: list[int] | None = json.loads(sys.stdin.readline())
    return words


def _say(row: dict[str, object]) -> None:
    print(json.dumps(row), flush=True)
