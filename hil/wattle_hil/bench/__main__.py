"""Prints what is measured as text, and as JSON where asked.

Exit code 0: measured; 2: something could not be measured, and the message says what.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from wattle_hil.bench import openssl
from wattle_hil.bench.airtime import TCP_IP_BYTES, TLS_RECORD_BYTES, Airtime, airtimes
from wattle_hil.bench.ingest import METERS, Round, measure_ingest
from wattle_hil.bench.signature import HEAP, SignatureCost, signature_cost
from wattle_hil.children.environment import environment
from wattle_hil.children.programs import find_programs
from wattle_hil.curves.arguments import whole_number
from wattle_hil.errors import BenchError, HilError
from wattle_hil.report.numbers import grouped

DONE, CANNOT = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m wattle_hil.bench",
        description="Cost of a signature on the device, samples a second at the gateway.",
    )
    parser.add_argument("--rounds", type=whole_number(1, 100), default=5, help="default 5")
    parser.add_argument(
        "--samples",
        type=whole_number(10, 4_000),
        default=1_000,
        help=f"of each of {METERS} meters in a round (default 1000)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    try:
        signatures = _signatures()
        air = airtimes()
        gateway = find_programs().gateway
        rounds = measure_ingest(gateway, options.rounds, options.samples)
        host = dict(environment([])) | {"OpenSSL": openssl.version()}
    except HilError as error:
        print(f"bench: {error}", file=sys.stderr)
        return CANNOT
    print("\n".join(_lines(signatures, air, rounds, host)))
    if options.json is not None:
        content = {
            "environment": host,
            "signature": {f"{bits}-bit": asdict(cost) for bits, cost in signatures.items()},
            "sample_bytes": [asdict(one) | {"on_air": one.on_air} for one in air],
            "ingest": [asdict(one) | {"ratio": one.ratio} for one in rounds],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return DONE


def _signatures() -> dict[int, SignatureCost]:
    """Of the 32-bit interpreter, and of the 64-bit one where this machine has only that."""
    try:
        return {32: signature_cost(32)}
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return {64: signature_cost(64)}


def _lines(
    signatures: dict[int, SignatureCost],
    air: Sequence[Airtime],
    rounds: Sequence[Round],
    host: dict[str, str],
) -> list[str]:
    lines = [f"{name}: {value}" for name, value in host.items()]
    for bits, cost in signatures.items():
        lines += [
            "",
            f"One signature, MicroPython {bits}-bit, heap of {HEAP}B (median of {cost.signatures})",
            f"  time             {cost.sign_us / 1_000:8.2f} ms, longest"
            f" {cost.sign_us_max / 1_000:.2f} ms",
            f"  between yields   {cost.slice_us_max / 1_000:8.2f} ms at most",
            f"  heap allocated   {grouped(cost.garbage_bytes):>8} bytes, kept {cost.kept_bytes}"
            f" bytes after all",
        ]
    lines += ["", "One sample with one reading, bytes"]
    lines += [
        f"  {one.device}   sample {one.sample:5}   MQTT packet {one.mqtt:5}   on air {one.on_air:5}"
        for one in air
    ]
    lines.append(f"  on air: with TLS 1.3 ({TLS_RECORD_BYTES}) and TCP/IPv4 ({TCP_IP_BYTES})")
    return [*lines, "", *_ingest_lines(rounds)]


def _ingest_lines(rounds: Sequence[Round]) -> list[str]:
    lines = [
        f"Gateway, {grouped(rounds[0].samples)} samples of {METERS} meters a round, published over"
        " TLS to its broker; clients, broker,",
        "gateway and its workers share this machine. Broker: acknowledged by it. Durable: stored"
        " and fsynced. Final: in a commit.",
        "  round   broker/s   durable/s   final/s   openssl verify/s   durable to openssl",
    ]
    lines += [
        f"  {number:5}   {one.broker_a_second:8.0f}   {one.durable_a_second:9.0f}"
        f"   {one.final_a_second:7.0f}   {one.openssl_a_second:16.0f}   {one.ratio:18.3f}"
        for number, one in enumerate(rounds, 1)
    ]
    ratio = statistics.median(one.ratio for one in rounds)
    rate = statistics.median(one.durable_a_second for one in rounds)
    lines.append(
        f"  median: {rate:.0f} samples a second = {ratio:.3f} of one `openssl speed ecdsap256`"
    )
    return lines


if __name__ == "__main__":
    sys.exit(main())
