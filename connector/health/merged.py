"""The pages of several workers as one: what `run --workers N` serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from connector.health.families import PREFIX

LABEL = "worker"


class MergedCollector(Collector):
    """Families of several pages, each sample with the name of its worker: sums stay Prometheus's business, so that a
    worker that was restarted counts from zero where that is seen.

    Args:
        pages: per worker, the text of its `/metrics`.
        restarts: per worker, how often it was started again.
    """

    def __init__(self, pages: Mapping[str, str], restarts: Mapping[str, int]) -> None:
        self._pages = pages
        self._restarts = restarts

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        families: dict[str, Metric] = {}
        for name, text in sorted(self._pages.items()):
            for family in text_string_to_metric_families(text):
                merged = families.get(family.name)
                if merged is None:
                    merged = families[family.name] = Metric(family.name, family.documentation, family.type)
                for sample in family.samples:
                    merged.add_sample(sample.name, {**sample.labels, LABEL: name}, sample.value)
        up = GaugeMetricFamily(f"{PREFIX}worker_up", "1 while the worker answers.", labels=[LABEL])
        restarts = CounterMetricFamily(f"{PREFIX}worker_restarts", "Times a worker was started again.", labels=[LABEL])
        for name, times in sorted(self._restarts.items()):
            up.add_metric([name], name in self._pages)
            restarts.add_metric([name], times)
        return [*families.values(), up, restarts]
