"""The findings as a table in Markdown."""

from collections.abc import Iterable

from wattle_testkit.gaming.search import Best, Found

COLUMNS = (
    "load",
    "rule",
    "honest",
    "over-declared",
    "silent",
    "both",
    "window",
    "all",
    "reputation counts",
    "energy costs",
)


def table(found: Iterable[Found]) -> str:
    """One row for each load and rule; shares in per cent of what exact delivery pays."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cells(one)) + " |" for one in found]
    return "\n".join(lines)


def _cells(found: Found) -> list[str]:
    bests = (
        found.over,
        found.silence,
        found.unknowing,
        found.window,
        found.all,
        found.with_reputation,
        found.with_energy,
    )
    honest = f"{found.honest_permille / 10:.1f}"
    return [found.load, f"`{found.rule}`", honest, *(_cell(best) for best in bests)]


def _cell(best: Best) -> str:
    if best.gain_permille == 0:
        return "0"
    return f"{best.gain_permille / 10:+.1f} {best.strategy}"
