"""A gateway that shows its metrics, and a client that looks at them."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from wattle_testkit.gateway_process import GatewayProcess, free_port

LOOPBACK = "127.0.0.1"
DEADLINE_S = 40.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def fetch(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request to 127.0.0.1; OSError if nobody listens there."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=DEADLINE_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, fields, answer.read().decode())
    finally:
        connection.close()


def scrape(port: int) -> dict[str, Metric]:
    """What /metrics shows now, by the family's name."""
    answer = fetch(port, "/metrics")
    assert answer.status == 200, answer
    return {family.name: family for family in text_string_to_metric_families(answer.body)}


def value(families: dict[str, Metric], name: str, /, **labels: str) -> float:
    """One sample of a scrape."""
    found = [
        sample.value
        for sample in _samples(families)
        if (sample.name, sample.labels) == (name, labels)
    ]
    assert len(found) == 1, (name, labels, found)
    return float(found[0])


def sample_labels(families: dict[str, Metric]) -> dict[str, set[str]]:
    """The label names that each sample of a scrape has."""
    found: dict[str, set[str]] = {}
    for sample in _samples(families):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _samples(families: dict[str, Metric]) -> Iterator[Any]:
    for family in families.values():
        yield from family.samples


def configure(gateway: GatewayProcess, section: str, **values: str | int) -> None:
    """Change a section of a stopped gateway's config.toml."""
    lines, within = [], False
    for line in gateway.home.config.read_text().splitlines():
        if line.startswith("["):
            within = line == f"[{section}]"
        key = line.partition(" = ")[0]
        changes = within and key in values
        lines.append(f"{key} = {json.dumps(values[key])}" if changes else line)
    gateway.home.config.write_text("\n".join(lines) + "\n")


def watch(gateway: GatewayProcess) -> int:
    """Have a stopped gateway show its metrics from its next start on; gives the port."""
    port = free_port()
    configure(gateway, "metrics", listen=LOOPBACK, port=port)
    return port
