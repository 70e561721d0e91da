"""The renderer's own promises; that its bytes are the client's is a property test."""

import gc
import gzip
import math
import zlib
from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tmux_exporter.facts.report import Exemplar, Histogram
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample, Spec
from tmux_exporter.metrics.render import Renderer, compress, number, openmetrics, text

SPEC = Spec(
    name="tmux_thing_bytes",
    help='A "thing".',
    labels=("server", "agent"),
    subject="thing",
)


def gauge(*samples: tuple[str, str, float]) -> Family:
    return Family(
        spec=SPEC, samples=tuple(Sample((server, agent), value) for server, agent, value in samples)
    )


def test_no_families_are_a_valid_page() -> None:
    assert (text([]), openmetrics([])) == (b"", b"# EOF\n")


def test_numbers_that_are_not_finite_are_spelled_as_prometheus_does() -> None:
    assert [*map(number, (math.nan, math.inf, -math.inf))] == ["NaN", "+Inf", "-Inf"]


def test_a_name_that_is_no_text_costs_one_character_and_not_the_page() -> None:
    assert text([gauge(("a\udc80b", "x", 1))]) == text([gauge(("a?b", "x", 1))])


def test_a_series_that_is_gone_is_forgotten() -> None:
    def held() -> int:
        gc.collect()
        return sum(type(each).__name__ == "_LabelTexts" for each in gc.get_objects())

    renderer = Renderer()
    before = held()
    for page in range(20):
        renderer.render([gauge(("default", f"agent {page}", page))])
    assert held() - before <= 2


def test_labels_that_are_gone_are_forgotten_also_beside_a_family_that_stands() -> None:
    def texts() -> int:
        gc.collect()
        return sum(len(each) for each in gc.get_objects() if type(each).__name__ == "_LabelTexts")

    renderer, before = Renderer(), texts()
    stands = Family(spec=replace(SPEC, name="tmux_other_bytes"), samples=(Sample(("default", "stays"), 1),))
    pages = [renderer.render([gauge(("default", f"agent {page}", page)), stands]).text for page in range(20)]
    assert len({page.splitlines()[-1] for page in pages}) == 1
    assert texts() - before == 2


def test_gzip_is_the_same_for_the_same_page_at_any_time() -> None:
    renderer = Renderer()
    stands = gauge(*(("default", f"agent {number}", 1) for number in range(100)))
    for value in (1, 2):
        other = Family(spec=replace(SPEC, name="tmux_other_bytes"), samples=(Sample(("a", "b"), value),))
        pages = renderer.render([stands, other])
        for is_openmetrics, page in ((False, pages.text), (True, pages.openmetrics)):
            packed = compress(pages, openmetrics=is_openmetrics)
            assert packed == compress(Renderer().render([stands, other]), openmetrics=is_openmetrics)
            assert packed[4:8] == bytes(4), "the time field of RFC 1952"
            assert gzip.decompress(packed) == page
            assert len(packed) < len(page) / 8
            # What knows no more than one member, as zlib's own inflate, gets all of it.
            assert zlib.decompressobj(wbits=31).decompress(packed) == page


def test_trace_ids_are_exemplars_in_openmetrics_and_nothing_in_text() -> None:
    traced = Exemplar(trace_id="0af7651916cd43dd8448eb211c80319c", value=0.7, timestamp=1_795_500_000.25)
    histogram = Histogram(bounds=(0.5, 1.0), counts=(1, 2), count=2, sum=1.0, exemplars={1: traced})
    spec = Spec("a_seconds", "A.", subject="s", histogram=True)
    pages = Renderer().render([Family(spec=spec, histograms=(Distribution((), histogram),))])
    assert b"trace_id" not in pages.text
    (family,) = text_string_to_metric_families(pages.openmetrics.decode())  # type: ignore[no-untyped-call]
    found = {sample.labels.get("le"): sample.exemplar for sample in family.samples}
    assert {le for le, exemplar in found.items() if exemplar} == {"1.0"}
    exemplar = found["1.0"]
    assert exemplar and (exemplar.labels, exemplar.value) == ({"trace_id": traced.trace_id}, 0.7)
    assert float(exemplar.timestamp or 0) == traced.timestamp
