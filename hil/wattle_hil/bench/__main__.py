"""Prints what is measured as text, and as JSON where asked.

Exit code 0: measured; 2: something could not be measured, and the message says what.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from wattle_hil.bench import openssl, text
from wattle_hil.bench.airtime import airtimes
from wattle_hil.bench.dispatch import measure_dispatch
from wattle_hil.bench.finality import IDLE_S, measure_finality
from wattle_hil.bench.flash import Duty, capacity, figures, flash_cost
from wattle_hil.bench.ingest import METERS, measure_ingest
from wattle_hil.bench.recording import recording_cost
from wattle_hil.bench.signature import SignatureCost, board_signature_cost, signature_cost
from wattle_hil.bench.upkeep import measure_upkeep
from wattle_hil.children.environment import environment
from wattle_hil.children.programs import find_programs
from wattle_hil.curves.arguments import whole_number
from wattle_hil.errors import BenchError, HilError
from wattle_hil.parts import PartMissingError

DONE, CANNOT = 0, 2

# Readings that share a sample while there is no link (the firmware's sampling.py).
GATHERED = 10

# What one measurement gives: its key in the JSON, the content there, and lines for people.
Found = tuple[str, object, Sequence[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns the exit code."""
    options = _parser().parse_args(arguments)
    measured = {name: make for name, make in _MEASUREMENTS.items() if name in options.only}
    try:
        host = dict(environment([])) | {"OpenSSL": openssl.version()}
        print("\n".join(f"{name}: {value}" for name, value in host.items()), flush=True)
        content: dict[str, object] = {"environment": host}
        for make in measured.values():
            for key, figures, lines in make(options):
                content[key] = figures
                print("\n".join(["", *lines]), flush=True)
    except HilError as error:
        print(f"bench: {error}", file=sys.stderr)
        return CANNOT
    if options.json is not None:
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wattle_hil.bench",
        description="Cost of a signature on the device, samples a second at a gateway, finality and"
        " upkeep of an alliance of four, and how soon loads are told.",
    )
    add = parser.add_argument
    add(
        "--only",
        type=_names,
        default=tuple(_MEASUREMENTS),
        metavar="NAME,..",
        help=f"of: {', '.join(_MEASUREMENTS)} (default: all)",
    )
    add("--rounds", type=whole_number(1, 100), default=5, help="of ingest (default 5)")
    add(
        "--samples",
        type=whole_number(10, 4_000),
        default=1_000,
        help=f"of each of {METERS} meters in a round (default 1000)",
    )
    add(
        "--transactions",
        type=whole_number(1, 1_000),
        default=50,
        help="at each of four gateways (default 50)",
    )
    add(
        "--idle-tries",
        type=whole_number(0, 60),
        default=5,
        help="transactions after a time without any (default 5)",
    )
    add(
        "--rest",
        type=whole_number(1, 86_400),
        default=IDLE_S,
        metavar="S",
        help=f"that time (default {IDLE_S}: longer than the pause between idle rounds)",
    )
    add(
        "--stretch",
        type=whole_number(10, 86_400),
        default=300,
        metavar="S",
        help="for which upkeep is measured (default 300)",
    )
    add(
        "--dispatches",
        type=whole_number(1, 100),
        default=5,
        help="of four loads each, by the socket and by the program (default 5)",
    )
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in _MEASUREMENTS:
            expected = ", ".join(_MEASUREMENTS)
            raise argparse.ArgumentTypeError(f"{name!r} is not among: {expected}")
    return names


def _signature(_options: argparse.Namespace) -> Iterator[Found]:
    """Of the 32-bit interpreter, and of the 64-bit one where this machine has only that."""
    costs: dict[int, SignatureCost]
    try:
        costs = {32: signature_cost(32)}
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        costs = {64: signature_cost(64)}
    figures = {f"{bits}-bit": asdict(cost) for bits, cost in costs.items()}
    yield "signature", figures, text.signatures(costs)
    try:
        counted = board_signature_cost()
    except PartMissingError as error:
        print(f"bench: {error}", file=sys.stderr)
    else:
        yield "signature_instructions", asdict(counted), text.counted_signature(counted)
        running = recording_cost()
        yield "recording_instructions", asdict(running), text.recording(running)
    air = airtimes()
    yield "sample_bytes", [asdict(one) | {"on_air": one.on_air} for one in air], text.air(air)


def _flash(_options: argparse.Namespace) -> Iterator[Found]:
    duties = (Duty(24, 1, 1, 8), Duty(24, 1, 1, 20), Duty(24, 1, 10, None), Duty(24, 10, 1, None))
    found = [(duty, flash_cost(duty)) for duty in duties]
    held = capacity(GATHERED)
    content = {"holds": asdict(held), "wears": [figures(duty, cost) for duty, cost in found]}
    yield "flash", content, text.flash(held, found)


def _ingest(options: argparse.Namespace) -> Iterator[Found]:
    rounds = measure_ingest(find_programs().gateway, options.rounds, options.samples)
    yield "ingest", [asdict(one) | {"ratio": one.ratio} for one in rounds], text.ingest(rounds)


def _finality(options: argparse.Namespace) -> Iterator[Found]:
    command = find_programs().gateway
    found = measure_finality(command, options.transactions, options.idle_tries, options.rest)
    yield "finality", asdict(found), text.finality(found)


def _dispatch(options: argparse.Namespace) -> Iterator[Found]:
    found = measure_dispatch(find_programs(), options.dispatches)
    yield "dispatch", asdict(found), text.dispatch(found)


def _upkeep(options: argparse.Namespace) -> Iterator[Found]:
    idle, metered = measure_upkeep(find_programs().gateway, options.stretch)
    figures = {"idle": asdict(idle), "one_meter": asdict(metered)}
    yield "upkeep", figures, text.upkeep(idle, metered)


_MEASUREMENTS: dict[str, Callable[[argparse.Namespace], Iterator[Found]]] = {
    "signature": _signature,
    "flash": _flash,
    "ingest": _ingest,
    "finality": _finality,
    "dispatch": _dispatch,
    "upkeep": _upkeep,
}

if __name__ == "__main__":
    sys.exit(main())
