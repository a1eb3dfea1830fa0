"""Metrics of a server with writes, in the text format of Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
# Other methods are counted as one: a client can send any word.
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Metrics:
    """Counts requests and batches. Safe to use from any thread."""

    def __init__(self, waiting: Callable[[], int], is_ready: Callable[[], bool]) -> None:
        """`waiting` returns the number of waiting writes, `is_ready` whether writes are possible."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "registry_requests", "Answered requests", ("method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "registry_request_seconds",
            "Time from a request to the end of its answer",
            ("method",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batch_sizes = Histogram(
            "registry_batch_commits", "Commits in one batch", buckets=_SIZES, registry=self._registry
        )
        self._batch_seconds = Histogram(
            "registry_batch_seconds",
            "Time to write, publish and show one batch",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Gauges(waiting, is_ready))

    def count_request(self, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        name = method if method in _METHODS else "other"
        self._requests.labels(name, str(status)).inc()
        self._seconds.labels(name).observe(seconds)

    def count_batch(self, commits: int, seconds: float) -> None:
        """Count a published batch."""
        self._batch_sizes.observe(commits)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """Values that are read when the metrics are requested."""

    def __init__(self, waiting: Callable[[], int], is_ready: Callable[[], bool]) -> None:
        self._waiting, self._is_ready = waiting, is_ready

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the values."""
        yield GaugeMetricFamily("registry_waiting_writes", "Writes in the queue", self._waiting())
        yield GaugeMetricFamily("registry_ready", "1 while writes are possible", float(self._is_ready()))
