"""The shapes that metrics have, each named `wattle_...`."""

from collections.abc import Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric


def gauge(name: str, text: str, value: float | None) -> Metric:
    """One value; None: none now."""
    family = GaugeMetricFamily(f"wattle_{name}", text)
    if value is not None:
        family.add_metric([], value)
    return family


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """A value for each value of one label."""
    family = GaugeMetricFamily(f"wattle_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def counter(name: str, text: str, value: int | None) -> Metric:
    """One count; None: none now."""
    family = CounterMetricFamily(f"wattle_{name}", text)
    if value is not None:
        family.add_metric([], value)
    return family


def counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    """A count for each value of one label."""
    family = CounterMetricFamily(f"wattle_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def info(name: str, text: str, labels: Mapping[str, str]) -> Metric:
    """1, with all there is to say in labels."""
    family = GaugeMetricFamily(f"wattle_{name}", text, labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family
