"""What the harness prints."""

from wattle_testkit.edge.capacity import Outcome, Taken
from wattle_testkit.edge.stage import Result

_MIB = 1 << 20
_MB = 1_000_000


def of_capacity(outcome: Outcome) -> str:
    """What was run, a line for each gateway, and whether it fits."""
    lines = [
        f"run            {outcome.load.described}, in {outcome.wall_s:.0f} s",
        f"each gateway   {_how(outcome)}",
        "memory         highest that the tree (gateway, workers, broker) was seen to have, every 2"
        " s, mapped files counted once; in brackets the sum of each process's highest VmHWM, and"
        " anonymous memory by process",
    ]
    lines += [_line(number, one) for number, one in enumerate(outcome.taken, 1)]
    lost = sum(one.lost for one in outcome.taken)
    verdict = "fits" if outcome.holds else "DOES NOT FIT"
    complete = "all final" if outcome.complete else "NOT all final in time"
    lines.append(f"{verdict}: {complete}, lost {lost}, meters' own CPU {outcome.makers_s:.0f} s")
    return "\n".join(lines)


def of_fault(result: Result) -> str:
    """What was done and seen, and what became of the samples."""
    end = "all final" if result.complete else "NOT all final in time"
    lines = [f"{result.name}", *(f"  {one}" for one in result.told)]
    if result.failure:
        lines.append(f"  FAILED: {result.failure}")
    verdict = "holds" if result.holds else "DOES NOT HOLD"
    lines.append(
        f"  {verdict}: {result.samples} samples, {end}, lost {result.lost}, the longest waited"
        f" {result.finality_s:.1f} s, {result.restarts} restarts"
    )
    return "\n".join(lines)


def _how(outcome: Outcome) -> str:
    return "; ".join(dict.fromkeys(one.share.described for one in outcome.taken))


def _line(number: int, taken: Taken) -> str:
    usage = taken.usage
    parts = ", ".join(f"{name} {peak / _MIB:.0f}" for name, peak in sorted(usage.by_name().items()))
    quarters = " ".join(f"{peak / _MIB:.0f}" for peak in usage.quarters_bytes)
    words = (
        f"{usage.peak_bytes / _MIB:.0f} MiB ({usage.resident_peaks_bytes / _MIB:.0f}; {parts})",
        f"by quarters of the time {quarters}",
        f"{100 * taken.cpu_share:.0f} % of a core",
        f"{taken.samples} samples final after {taken.p50_s:.1f} s (p50), {taken.p99_s:.1f} s (p99)",
        f"{taken.disk_bytes / _MB:.1f} MB on disk",
        f"lost {taken.lost}",
        f"{taken.archived} samples archived" if taken.archived else "",
        f"NOT SOUND: {taken.archive}" if taken.archive else "",
        taken.kernel,
    )
    return f"gateway {number}      {', '.join(word for word in words if word)}"
