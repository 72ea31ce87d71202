"""All rules on one record."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from wattle_testkit.soak import delivery_rules, reading_rules, upkeep_rules
from wattle_testkit.soak.evidence import Evidence

Rule = Callable[[Evidence], Iterator[str]]

RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        delivery_rules.seqs_rise,
        delivery_rules.chain_holds,
        delivery_rules.arrivals_are_what_was_signed,
        delivery_rules.gaps_are_well_formed,
        delivery_rules.losses_are_declared,
        delivery_rules.all_is_final,
        reading_rules.values_are_of_their_read,
        reading_rules.grid_is_kept,
        reading_rules.no_reading_is_left_out,
        reading_rules.failures_have_a_cause,
        reading_rules.clock_states_are_honest,
        reading_rules.seen_was_shown,
        upkeep_rules.no_task_fails,
        upkeep_rules.watchdog_is_fed,
        upkeep_rules.heap_does_not_grow,
    )
}
FINDINGS_MAX = 5  # of one rule: what breaks once mostly breaks a thousand times


def judge(found: Evidence) -> dict[str, list[str]]:
    """Rule to its first findings, for rules that have any."""
    results = {name: list(islice(rule(found), FINDINGS_MAX)) for name, rule in RULES.items()}
    return {name: findings for name, findings in results.items() if findings}
