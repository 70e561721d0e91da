"""The same families through prometheus_client: the oracle of the renderer."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from tmux_exporter.metrics.catalogue.family import Family, MetricType

_openmetrics: Callable[[CollectorRegistry], bytes] = generate_openmetrics
_go: Callable[[float], str] = floatToGoString


def client_pages(families: Iterable[Family]) -> tuple[bytes, bytes]:
    """What `generate_latest` prints for these families: text format, OpenMetrics."""
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    return generate_latest(registry), _openmetrics(registry)


class _Fixed:
    """A collector of families that are already there."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._metrics = [_metric(family) for family in families]

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics

    def describe(self) -> list[Metric]:
        return []


def _metric(family: Family) -> Metric:
    spec = family.spec
    made: CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily
    match spec.kind:
        case MetricType.HISTOGRAM:
            histogram = HistogramMetricFamily(spec.base, spec.help, labels=spec.labels, unit=spec.unit)
            for labels, each in family.histograms:
                bounds = [_go(bound) for bound in each.bounds]
                buckets = [*zip(bounds, each.counts, strict=True), ("+Inf", each.count)]
                histogram.add_metric(labels, buckets, each.sum)
            return histogram
        case MetricType.COUNTER:
            made = CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
            made.unit = spec.unit
        case MetricType.GAUGE:
            made = GaugeMetricFamily(spec.name, spec.help, labels=spec.labels, unit=spec.unit)
        case MetricType.INFO:
            info = InfoMetricFamily(spec.base, spec.help, labels=())
            for sample in family.samples:
                info.add_metric((), dict(zip(spec.labels, sample.labels, strict=True)))
            return info
    for sample in family.samples:
        made.add_metric(sample.labels, sample.value)
    return made
