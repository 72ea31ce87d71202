"""One line of what the doctor says."""

from dataclasses import dataclass

OK = "ok"
WARNING = "warning"
PROBLEM = "problem"
LEVELS = (OK, WARNING, PROBLEM)


@dataclass(frozen=True)
class Finding:
    """What was looked at, how bad it is (one of LEVELS), what was found, what to do next ("" for
    nothing)."""

    check: str
    level: str
    found: str
    advice: str = ""
