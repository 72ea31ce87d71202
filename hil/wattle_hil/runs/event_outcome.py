"""What came of the event of a demonstration: who got what and why, and whether it should be so."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from wattle_hil.report.model import Check
from wattle_hil.runs import event_plan
from wattle_hil.runs.event_plan import ASSET, PARTICIPANTS, Participant
from wattle_hil.runs.event_story import EventOutcome

_MJ_PER_MWH = 3_600
_MEASURED = "register", "integrated"
NAME = "demand response"


def check_event(outcome: EventOutcome | None, meter_ids: Sequence[str]) -> Check:
    """The result of an event; `meter_ids` of the participants' meters, in their order."""
    if outcome is None:
        return Check(NAME, None, "the event was not over when the demonstration was ended")
    parts = _parts(outcome, meter_ids)
    wrong = [text for text, holds in _expected(outcome, parts) if not holds]
    told_s = [seconds for seconds in outcome.written_s.values() if seconds is not None]
    event = outcome.event
    first = (
        f"{event['reached_w'] / 1_000:g} kW of {len(told_s)} loads,"
        f" told {min(told_s, default=0):.2f} to {max(told_s, default=0):.2f} s after the command"
    )
    lines = [_line(outcome, one, part) for one, part in zip(PARTICIPANTS, parts, strict=True)]
    return Check(NAME, not wrong, "\n".join([first, *lines, *wrong]))


def _parts(outcome: EventOutcome, meter_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    by_point = {part["point"]: part for part in outcome.event["parts"]}
    return [by_point.get(f"{meter_id}/1", {}) for meter_id in meter_ids]


def _line(outcome: EventOutcome, one: Participant, part: Mapping[str, Any]) -> str:
    head = f"{one.party}, {one.load} ({one.habit}):"
    statement = part.get("statement")
    if statement is None:
        why = part.get("why", "").replace("_", " ")
        return f"{head} {part.get('status', 'not declared')}, {why}"
    quota = " ".join(f"{watts / 1_000:.2f}" for watts in part["quotas_w"])
    score = statement["score"]
    sums = {name: sum(line[name] for line in statement["lines"]) for name in _AMOUNTS}
    return (
        f"{head} promised {quota} kW, delivered {_delivered(outcome, statement)};"
        f" score {'none' if score is None else score['value']};"
        f" availability {_money(sums['availability'])} + energy {_money(sums['energy'])}"
        f" - penalty {_money(sums['penalty'])} = {_money(statement['net'])} {ASSET},"
        f" paid {_money(_paid(outcome, one))}{_owed(statement['net'])}"
    )


_AMOUNTS = ("availability", "energy", "penalty")


def _delivered(outcome: EventOutcome, statement: Mapping[str, Any]) -> str:
    """By how much the load was below its baseline, interval by interval."""
    words = []
    for line in statement["lines"]:
        if line["how"] not in _MEASURED or line["baseline_mj"] is None:
            words.append("unmeasured")
            continue
        saved_mj = line["baseline_mj"] - line["energy_mwh"] * _MJ_PER_MWH
        words.append(f"{saved_mj / 1_000 / outcome.event['interval_s'] / 1_000:.2f}")
    return f"{' '.join(words)} kW"


def _expected(
    outcome: EventOutcome, parts: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, bool]]:
    """What is wrong if it does not hold, and whether it does."""
    limit_s = event_plan.WRITTEN_WITHIN_S
    for one, seconds in zip(PARTICIPANTS, outcome.written_s.values(), strict=True):
        if one is not PARTICIPANTS[event_plan.TOO_DEAR]:
            told = seconds is not None and seconds <= limit_s
            yield f"{one.party}'s load was not told within {limit_s:g} s", told
    before, after = sum(outcome.before.values()), sum(outcome.after.values())
    yield f"money is not conserved: {before} before, {after} after", before == after
    keeps, overstates, silent, dear = (part.get("statement") for part in parts)
    yield "who keeps its word is not measured throughout", _is_whole(keeps)
    yield "who keeps its word is not paid", _paid(outcome, PARTICIPANTS[event_plan.KEEPS]) > 0
    yield "who declares too much is not charged for it", _sum(overstates, "penalty") > 0
    yield "who stops reporting is measured all the same", not _is_whole(silent)
    scores = [_score(statement) for statement in (keeps, overstates, silent)]
    yield "who keeps its word does not score best", scores[0] > max(scores[1:])
    paid_dear = _paid(outcome, PARTICIPANTS[event_plan.TOO_DEAR])
    yield "who asks too much takes part", dear is None and paid_dear == 0


def _is_whole(statement: Mapping[str, Any] | None) -> bool:
    return statement is not None and all(line["how"] in _MEASURED for line in statement["lines"])


def _sum(statement: Mapping[str, Any] | None, name: str) -> int:
    return 0 if statement is None else sum(line[name] for line in statement["lines"])


def _score(statement: Mapping[str, Any] | None) -> int:
    score = None if statement is None else statement["score"]
    return -1 if score is None else int(score["value"])


def _paid(outcome: EventOutcome, one: Participant) -> int:
    return outcome.after.get(one.party, 0) - outcome.before.get(one.party, 0)


def _owed(net: int) -> str:
    return "" if net >= 0 else f", {_money(-net)} taken off the next payment"


def _money(amount: int) -> str:
    return f"{Decimal(amount).scaleb(-event_plan.DECIMALS):f}"
