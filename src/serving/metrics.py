"""What the server counts and measures, for Prometheus; `doors.metrics` tells it.

Labels are few by design: a door is a route's pattern, never a path that a caller thought of.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from serving.errors import NotReadyError
from serving.exchange import Exchange
from serving.loading import Loading

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of the histograms' buckets: from a decoded thumbnail to the deadline of a request."""


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self, loading: Loading) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "chrysalis_requests", "Requests, by route and status.", ["door", "status"], registry=registry
        )
        self._seconds = Histogram(
            "chrysalis_request_seconds",
            "From a request's headers to its answer's end.",
            ["door"],
            buckets=SECONDS,
            registry=registry,
        )
        self._images = Counter("chrysalis_images", "Images that were classified.", registry=registry)
        self._bytes = Counter("chrysalis_received_bytes", "Of requests' bodies.", registry=registry)
        self._refused = Counter(
            "chrysalis_refused", "Requests and connections refused, by why.", ["reason"], registry=registry
        )
        self._stages = Histogram(
            "chrysalis_stage_seconds",
            "An image's decoding, and its inference.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        ProcessCollector(registry=registry)
        registry.register(_Model(loading))

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Tell a value as it is when somebody asks for it."""
        Gauge(name, description, registry=self.registry).set_function(value)

    def stage(self, name: str) -> AbstractContextManager[object]:
        """Measure a part of an image's way: `decode` or `inference`."""
        return self._stages.labels(name).time()

    def count(self, exchange: Exchange) -> None:
        """Count a request that has ended."""
        self._requests.labels(exchange.door, str(exchange.status)).inc()
        self._seconds.labels(exchange.door).observe(exchange.seconds)
        self._bytes.inc(exchange.received)
        if exchange.status == 200:
            self._images.inc(exchange.images)
        if exchange.reason:
            self.count_refusal(exchange.reason)

    def count_refusal(self, reason: str) -> None:
        """Count a request or a connection that got no answer of a door; of reasons there are few."""
        self._refused.labels(reason).inc()


class _Model:
    """What is served, told when somebody asks: a reload puts another model in its place."""

    def __init__(self, loading: Loading) -> None:
        self._loading = loading

    def collect(self) -> Iterator[Metric]:
        """Give the metrics of the model, if there is one."""
        loads = CounterMetricFamily("chrysalis_loads", "Loads and reloads, by outcome.", labels=["outcome"])
        for outcome, count in self._loading.outcomes.items():
            loads.add_metric([outcome], count)
        yield loads
        try:
            served = self._loading.served
        except NotReadyError:
            yield GaugeMetricFamily("chrysalis_ready", "Whether a model is served.", 0)
            return
        yield GaugeMetricFamily("chrysalis_ready", "Whether a model is served.", 1)
        info = GaugeMetricFamily(
            "chrysalis_model_info", "Which one.", labels=["name", "version", "architecture", "runtime"]
        )
        runtime = str(served.predictor.runtime.name)
        info.add_metric([served.name, str(served.version), served.bundle.architecture, runtime], 1)
        yield info
        yield GaugeMetricFamily(
            "chrysalis_queue_images", "Images in the queue or under way.", served.lane.waiting
        )
