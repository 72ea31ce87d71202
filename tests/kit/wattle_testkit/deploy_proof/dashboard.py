"""Dashboard and alerts, asked of a real Prometheus that scrapes two real gateways with a meter."""

import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wattle_testkit.alliance import reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.deploy_proof.prometheus import Prometheus, program, running
from wattle_testkit.deploy_proof.steps import DEPLOY, FailedError, run, wait
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.watched_gateway import watch

BOARD = DEPLOY / "grafana" / "wattle-gateway.json"
RULES = DEPLOY / "prometheus" / "alerts.yml"
GATEWAYS = 2
SAMPLES = 5
_PENDING_S = 30.0
# What a panel shows only while something is wrong: then its left side has to be there.
_ONLY_IF = re.compile(r"\s*(?:==|>) \d+$")
_VARIABLE = re.compile(r"\$(?:\{)?(\w+)")
_LEGEND = re.compile(r"\{\{(\w+)\}\}")


def prove(work: Path) -> None:
    """Every panel has data with the labels that its legend names; every alert can be judged, none
    is raised of sound gateways, and two are when one of them is gone."""
    run([program("promtool"), "check", "rules", RULES])
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        alliance = AllianceProcesses(Path(scratch), GATEWAYS)
        ports = [watch(gateway) for gateway in alliance]
        try:
            alliance.start()
            with running(Path(scratch), ports, RULES) as asked:
                _send(alliance)
                dashboard = json.loads(BOARD.read_text())
                _instances(dashboard, asked, ports)
                # A counter that began with a scrape has its rate with the next one.
                wait(lambda: not _empty(dashboard, asked), _PENDING_S, "every panel has data")
                count = sum(1 for _ in _targets(dashboard))
                print(f"dashboard: {count} queries of its panels, all with data", flush=True)
                _alerts(alliance, asked)
        finally:
            alliance.kill()


def _send(alliance: AllianceProcesses) -> None:
    gateway = alliance[0]
    board = alliance.board("panel")
    gateway.enrol(board)
    begin_ms, prev = time.time_ns() // 1_000_000, None
    with PaperMeter(board, gateway) as meter:
        for seq in range(1, SAMPLES + 1):
            sample = board.sample(seq, [reading(begin_ms + seq, ei=seq, p=5)], prev=prev)
            meter.send(sample)
            prev = sample.digest
        meter.await_final(SAMPLES)


def _targets(dashboard: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(panel, expression, legend), the variable standing for all instances, as Grafana does it."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$instance", ".+")
            if _VARIABLE.search(expression):
                raise FailedError(f"{panel['title']}: a variable that is none: {expression}")
            yield panel["title"], expression, target.get("legendFormat", "")


def _instances(dashboard: dict[str, Any], asked: Prometheus, ports: list[int]) -> None:
    """What the drop-down shows."""
    queries = [one["definition"] for one in dashboard["templating"]["list"] if "definition" in one]
    if queries != ["label_values(wattle_build_info, instance)"]:
        raise FailedError(f"the drop-down asks {queries}")
    found = asked.get("/api/v1/label/instance/values", **{"match[]": "wattle_build_info"})
    if found != sorted(f"127.0.0.1:{port}" for port in ports):
        raise FailedError(f"the drop-down would show {found}")


def _empty(dashboard: dict[str, Any], asked: Prometheus) -> list[str]:
    """Panels without data now. FailedError for what no waiting mends: a query that is not
    understood, a legend of labels that are not there."""
    found = []
    for title, expression, legend in _targets(dashboard):
        asked.query(expression)
        rows = asked.query(_ONLY_IF.sub("", expression))
        if not rows:
            found.append(f"{title}: {expression}")
        for name in _LEGEND.findall(legend):
            if any(name not in row["metric"] for row in rows):
                raise FailedError(f"{title}: no label {name}: {expression}")
    return found


def _alerts(alliance: AllianceProcesses, asked: Prometheus) -> None:
    rules = asked.alerts()
    bad = [name for name, rule in rules.items() if rule["health"] != "ok" or rule.get("lastError")]
    if bad:
        raise FailedError(f"alerts that cannot be judged: {', '.join(bad)}")
    raised = [name for name, rule in rules.items() if rule["state"] != "inactive"]
    if raised:
        raise FailedError(f"alerts of sound gateways: {', '.join(raised)}")
    alliance[1].kill()
    expected = {"WattleGatewayDown", "WattlePeerDown"}
    wait(
        lambda: expected <= {n for n, r in asked.alerts().items() if r["state"] == "pending"},
        _PENDING_S,
        f"{' and '.join(sorted(expected))} see a gateway that is gone",
    )
    print(f"dashboard: {len(rules)} alerts are judged; a gateway that is gone is seen", flush=True)
