"""Command line of the energy check. Exit code: 0 all holds, 1 it does not, 2 cannot be checked."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from .checks import Failure, PointResult, check_chain, check_point, open_samples
from .errors import CannotCheckError
from .export import Exported, read_export
from .point import Point, read_points
from .signed import Signed, verify

PASSED, FAILED, CANNOT_CHECK = 0, 1, 2
FAILURES_SHOWN_PER_RULE = 5

# Verifying takes 1.5 ms each; below this, starting more processes costs more than it saves.
_PARALLEL_FROM = 200
_CHUNK = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check, prints its result, writes it as JSON where asked; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="energy_check",
        description="Does the ledger hold what the load did? Exit code: 0 yes, 1 no, 2 cannot say.",
    )
    parser.add_argument("points", type=Path, help="points.json: what was measured where")
    parser.add_argument("--meters", type=Path, required=True, help="CSV of `meters list`")
    parser.add_argument("--samples", type=Path, required=True, help="CSV of `samples --raw`")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="verify only every Nth signature"
    )
    options = parser.parse_args(arguments)
    if options.every < 1:
        parser.error("--every takes a number from 1")
    try:
        ledger_id, points = read_points(options.points)
        exports, wrong = read_export(options.meters, options.samples)
        results, faults, counts = _check(ledger_id, points, exports, options.every)
    except CannotCheckError as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return CANNOT_CHECK
    failures = [*wrong, *(str(fault) for fault in faults)]
    print("\n".join(_lines(results, failures, counts)))
    if options.json:
        content = _document(results, failures, counts)
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return FAILED if failures else PASSED


def _check(
    ledger_id: bytes, points: list[Point], exports: dict[str, Exported], every: int
) -> tuple[list[PointResult], list[Failure], dict[str, int]]:
    results: list[PointResult] = []
    failures: list[Failure] = []
    counts = {"meters": len(exports), "samples": 0, "signatures_verified": 0, "gaps_declared": 0}
    opened: dict[str, list[Signed]] = {}
    for meter in sorted(exports):
        export = exports[meter]
        opened[meter], faults = open_samples(export, ledger_id)
        failures += faults
        failures += check_chain(export, opened[meter])
        counts["samples"] += len(export.raw)
        counts["gaps_declared"] += len({gap for one in opened[meter] for gap in one.gaps})
    to_verify = [(exports[meter], one) for meter, ones in opened.items() for one in ones][::every]
    counts["signatures_verified"] = len(to_verify)
    failures += _bad_signatures(to_verify)
    for point in points:
        if point.meter not in exports:
            raise CannotCheckError(f"meter {point.meter} of the points is not enrolled")
        results.append(check_point(point, opened[point.meter]))
        failures += results[-1].failures
    return results, failures, counts


def _bad_signatures(to_verify: list[tuple[Exported, Signed]]) -> list[Failure]:
    publics = [export.public for export, _ in to_verify]
    digests = [sample.digest for _, sample in to_verify]
    signatures = [sample.signature for _, sample in to_verify]
    if len(to_verify) < _PARALLEL_FROM:
        verdicts = list(map(verify, publics, digests, signatures))
    else:
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            verdicts = list(pool.map(verify, publics, digests, signatures, chunksize=_CHUNK))
    return [
        Failure("signature", export.meter, "one of its key", "another", seq=sample.seq)
        for (export, sample), good in zip(to_verify, verdicts, strict=True)
        if not good
    ]


def _lines(results: list[PointResult], failures: list[str], counts: dict[str, int]) -> list[str]:
    lines = []
    for result in results:
        point = result.point
        lines.append(
            f"{point.meter}/{point.device}: {result.readings} readings,"
            f" {result.failed_readings} failed, {result.restarts} restarts with"
            f" {result.slots_in_restarts} slots unread,"
            f" the latest read {result.latest_ms} ms or more after its slot"
        )
        for counter, counted_wh in result.counted_wh.items():
            by_curve_wh = result.curve_wh[counter]
            lines.append(
                f"  {counter}: ledger {counted_wh} Wh, curve {float(by_curve_wh):.6f} Wh,"
                f" difference {float(counted_wh - by_curve_wh):+.6f} Wh"
                f" (resolution {point.resolution_wh} Wh,"
                f" {'whole' if result.curve_enclosed else 'part of the'} curve)"
            )
    lines.append(
        f"{counts['samples']} samples of {counts['meters']} meters,"
        f" {counts['signatures_verified']} signatures verified,"
        f" {counts['gaps_declared']} gaps declared"
    )
    if counts["signatures_verified"] < counts["samples"]:
        lines.append("NOT EVERY SIGNATURE WAS VERIFIED")
    by_rule: dict[str, list[str]] = {}
    for failure in failures:
        by_rule.setdefault(failure.partition(":")[0], []).append(failure)
    for rule, broken in by_rule.items():
        lines += broken[:FAILURES_SHOWN_PER_RULE]
        if len(broken) > FAILURES_SHOWN_PER_RULE:
            lines.append(f"{rule}: and {len(broken) - FAILURES_SHOWN_PER_RULE} more")
    lines.append(f"FAILED: {len(failures)} failures" if failures else "passed")
    return lines


def _document(
    results: list[PointResult], failures: list[str], counts: dict[str, int]
) -> dict[str, object]:
    return {
        "passed": not failures,
        "counts": counts,
        "failures": failures,
        "points": [
            {
                "meter": result.point.meter,
                "device": result.point.device,
                "resolution_wh": result.point.resolution_wh,
                "readings": result.readings,
                "failed_readings": result.failed_readings,
                "restarts": result.restarts,
                "slots_in_restarts": result.slots_in_restarts,
                "counted_wh": result.counted_wh,
                "curve_wh": {key: f"{float(wh):.6f}" for key, wh in result.curve_wh.items()},
                "curve_enclosed": result.curve_enclosed,
                "latest_ms": result.latest_ms,
                "failures": [asdict(failure) for failure in result.failures],
            }
            for result in results
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
