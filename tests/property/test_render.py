"""The renderer against prometheus_client: not one byte may differ."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.support.web.client import client_pages
from tmux_exporter.facts.report import Histogram
from tmux_exporter.metrics.catalogue.family import Distribution, Family, MetricType, Sample, Spec
from tmux_exporter.metrics.render import Renderer

text = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", "\n", '\\"', "\\n", 'a\nb\\c"d', "", " ", "#", "\r\t\x00", "\u241e", "🦊", '{x="1"} 2']
)
edges = st.sampled_from(
    [
        0, 0.0, -0.0, 999_999, 1_000_000, 999_999.5, 1e6, -1e6, 1e15, 1e16, 2**53 - 1, 2**53, 2**53 + 1,
        10**30, 5e-324,
    ]
)  # fmt: skip
value = st.floats() | st.integers(-(10**300), 10**300) | st.integers(-10, 10**12) | edges | st.booleans()
label_names = st.lists(
    st.sampled_from(["server", "session", "agent", "a", "z", "kind"]), unique=True, max_size=4
)
bounds = st.lists(st.floats(0, 1e9, allow_subnormal=False), unique=True, min_size=1, max_size=4).map(sorted)
help_text = text.map(lambda words: words.replace("\n", " ") + ".")


@st.composite
def samples(draw: st.DrawFn, width: int) -> tuple[Sample, ...]:
    keys = st.tuples(*[text] * width)
    return tuple(Sample(draw(keys), draw(value)) for _ in range(draw(st.integers(0, 4))))


@st.composite
def distributions(draw: st.DrawFn, width: int) -> tuple[Distribution, ...]:
    made = []
    for _ in range(draw(st.integers(0, 2))):
        steps = tuple(draw(bounds))
        counts = tuple(
            sorted(draw(st.lists(st.integers(0, 10**7), min_size=len(steps), max_size=len(steps))))
        )
        histogram = Histogram(
            bounds=steps, counts=counts, count=draw(st.integers(0, 10**9)), sum=draw(st.floats())
        )
        made.append(Distribution(draw(st.tuples(*[text] * width)), histogram))
    return tuple(made)


@st.composite
def families(draw: st.DrawFn) -> Family:
    kind = draw(st.sampled_from(MetricType))
    unit = draw(st.sampled_from(["", "bytes", "seconds"])) if kind is not MetricType.INFO else ""
    stem = f"tmux_thing_{unit}" if unit else "tmux_thing"
    suffix = {MetricType.COUNTER: "_total", MetricType.INFO: "_info"}.get(kind, "")
    labels = tuple(draw(label_names))
    histogram = kind is MetricType.HISTOGRAM
    spec = Spec(stem + suffix, draw(help_text), labels=labels, subject="thing", histogram=histogram)
    assert (spec.kind, spec.unit) == (kind, unit)
    width = len(labels)
    if histogram:
        return Family(spec=spec, histograms=draw(distributions(width)))
    found = draw(samples(width))
    if kind is MetricType.INFO:
        found = tuple(Sample(labels, 1) for labels, _ in found)
    return Family(spec=spec, samples=found)


@given(st.lists(st.lists(families(), max_size=4), min_size=1, max_size=3))
def test_every_page_of_one_renderer_equals_the_clients(pages: list[list[Family]]) -> None:
    renderer = Renderer()
    for page in pages:
        made = renderer.render(page)
        assert (made.text, made.openmetrics) == client_pages(page)


@given(st.lists(families(), max_size=4))
def test_what_is_remembered_is_what_was_on_the_last_page(page: list[Family]) -> None:
    renderer = Renderer()
    renderer.render(page)
    renderer.render([])
    assert not renderer._known
    again, anew = renderer.render(page), Renderer().render(page)
    assert (again.text, again.openmetrics) == (anew.text, anew.openmetrics)


@given(st.floats())
def test_a_float_reads_back_as_itself(given_value: float) -> None:
    spec = Spec("tmux_thing", "A thing.", subject="thing")
    page = Renderer().render([Family(spec=spec, samples=(Sample((), given_value),))]).text.decode()
    shown = float(page.splitlines()[-1].removeprefix("tmux_thing "))
    assert shown == given_value or (math.isnan(shown) and math.isnan(given_value))
