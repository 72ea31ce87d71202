"""A reading in the text that Prometheus asks for.

Each scrape has a registry of its own, made of the reading and this process: the client library's
global registry, which any import may write to, is not used.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from wattle_gateway.metrics.families import families
from wattle_gateway.metrics.reading import Reading


class _Collected(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        return families(self._reading)


def render(reading: Reading, accept: str) -> tuple[str, bytes]:
    """Content type and body for the `Accept` header of a scrape: Prometheus' text format, or
    OpenMetrics if it is asked for. `process_*` are of the gateway's own process, without its
    workers and broker."""
    registry = CollectorRegistry()
    registry.register(_Collected(reading))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)
