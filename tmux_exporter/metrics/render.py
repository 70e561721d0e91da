"""Families as bytes: the text format 0.0.4 and OpenMetrics 1.0.0.

The bytes equal those of prometheus_client's `generate_latest` for the same families; property tests hold it
to that. The formats differ only in the lines above the samples, so one pass makes both.
"""

import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tmux_exporter.facts.report import Exemplar
from tmux_exporter.metrics.catalogue.family import Distribution, Family, MetricType, Spec

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""RFC 1952: deflate, no name, no time, fastest, unknown system."""
_SMALL_BYTES = 8192
_LAST_BLOCK = b"\x03\x00"
"""RFC 1951: an empty last block."""


def compress(pages: "Pages", *, openmetrics: bool) -> bytes:
    """A page as one member of gzip, of families that are compressed once for all pages that have them.

    Small ones of one subject are compressed together. At level 1, because level 9 takes six times the CPU to
    save a third of the bytes.
    """
    check, size, found = 0, 0, [_GZIP_HEAD]
    run: list[_Body] = []
    for body in pages.bodies:
        for piece in body.pieces(openmetrics=openmetrics):
            check, size = zlib.crc32(piece, check), size + len(piece)
        if run and body.run != run[0].run:
            found.append(_packed(run, openmetrics=openmetrics))
            run = []
        run.append(body)
    if run:
        found.append(_packed(run, openmetrics=openmetrics))
    if openmetrics:
        check, size = zlib.crc32(_END, check), size + len(_END)
        found.append(_pack((_END,)))
    return b"".join([*found, _LAST_BLOCK, struct.pack("<II", check, size & 0xFFFF_FFFF)])


def _packed(run: "list[_Body]", *, openmetrics: bool) -> bytes:
    """These families compressed; what the first of them keeps of the last page where all are the same."""
    kept = run[0].packed.get(openmetrics)
    if kept is None or kept[0] != run:
        pieces = [piece for body in run for piece in body.pieces(openmetrics=openmetrics)]
        kept = run[0].packed[openmetrics] = run, _pack(pieces)
    return kept[1]


def _pack(pieces: Sequence[bytes]) -> bytes:
    """These as blocks of deflate that refer to nothing before them and end at a byte."""
    # The usual 256 KiB of state are mapped and cleared anew for each family, in 50 us; few take 3.
    few = sum(map(len, pieces)) < _SMALL_BYTES
    deflate = zlib.compressobj(1, wbits=-13, memLevel=6) if few else zlib.compressobj(1, wbits=-15)
    return b"".join([*map(deflate.compress, pieces), deflate.flush(zlib.Z_FULL_FLUSH)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Body:
    """A family in both formats: `lines` are in both, but for those that carry exemplars in OpenMetrics.

    Neighbours of the same `run` are compressed together. `packed` are such families with this one first, by
    whether they are OpenMetrics, where they were asked for.
    """

    family: Family
    text_head: bytes
    openmetrics_head: bytes
    lines: bytes
    traced: bytes | None
    run: str
    packed: "dict[bool, tuple[list[_Body], bytes]]" = field(default_factory=dict)

    def pieces(self, *, openmetrics: bool) -> tuple[bytes, bytes]:
        """Its header and its samples."""
        if openmetrics:
            return self.openmetrics_head, self.lines if self.traced is None else self.traced
        return self.text_head, self.lines


_END = b"# EOF\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The same families in both formats, put together when asked for: whole pages are not kept."""

    bodies: tuple[_Body, ...]

    @property
    def text(self) -> bytes:
        """The text format 0.0.4."""
        return b"".join([piece for body in self.bodies for piece in body.pieces(openmetrics=False)])

    @property
    def openmetrics(self) -> bytes:
        """OpenMetrics 1.0.0."""
        pieces = [piece for body in self.bodies for piece in body.pieces(openmetrics=True)]
        return b"".join([*pieces, _END])


def text(families: Iterable[Family]) -> bytes:
    """Families in the text format; for repeated pages use a Renderer, which is much faster."""
    return Renderer().render(families).text


def openmetrics(families: Iterable[Family]) -> bytes:
    """Families in OpenMetrics; for repeated pages use a Renderer, which is much faster."""
    return Renderer().render(families).openmetrics


class Renderer:
    """Renders page after page, and keeps what was on the last one.

    A family that is the very same object is what it was. The text of a series' labels is made once and dies
    with the last family that has these labels. For one thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], _LabelTexts] = {}
        self._bodies: dict[str, _Body] = {}

    def render(self, families: Iterable[Family]) -> Pages:
        """Both formats of one page.

        A character that UTF-8 cannot hold (a lone surrogate) becomes `?`: one name must not cost the page.
        """
        before, self._known = self._known, {}
        bodies, self._bodies = self._bodies, {}
        held: dict[tuple[str, ...], list[Family]] = {}
        page: list[_Body] = []
        for family in families:
            name = family.spec.name
            body = bodies.get(name)
            if body is None or body.family is not family:
                body = self._body(family, before, body)
            else:
                held.setdefault(family.spec.labels, []).append(family)
            self._bodies[name] = body
            page.append(body)
        for names in held.keys() & before.keys():
            self._keep(names, before[names], held[names])
        for texts in self._known.values():
            texts.settle()
        return Pages(bodies=tuple(page))

    def _keep(self, names: tuple[str, ...], known: "_LabelTexts", held: Iterable[Family]) -> None:
        """Keep the known labels of families that were not rendered anew."""
        texts = self._known.setdefault(names, known)
        if texts is not known and (rest := known.keys() - texts.keys()):
            shown = (values for each in held for values, _ in (*each.samples, *each.histograms))
            texts.update({values: known[values] for values in shown if values in rest})

    def _body(
        self, family: Family, before: Mapping[tuple[str, ...], "_LabelTexts"], old: _Body | None
    ) -> _Body:
        spec = family.spec
        labels = self._labels(spec.labels, before)
        traced = None
        if spec.kind is MetricType.HISTOGRAM:
            buckets = self._labels((*spec.labels, "le"), before)
            body = "".join(_histogram(spec.name, each, labels, buckets) for each in family.histograms)
            # The text format has no exemplars, and hardly any family has them.
            if any(each.histogram.exemplars for each in family.histograms):
                traced = "".join(
                    _histogram(spec.name, each, labels, buckets, each.histogram.exemplars)
                    for each in family.histograms
                )
        else:
            name = spec.name
            body = "".join([f"{name}{labels[key]}{number(value)}\n" for key, value in family.samples])
        same = old is not None and old.family.spec is spec
        return _Body(
            family=family,
            text_head=old.text_head if old and same else _bytes(_text_header(spec)),
            openmetrics_head=old.openmetrics_head if old and same else _bytes(_openmetrics_header(spec)),
            lines=_bytes(body),
            run=spec.subject if len(body) < _SMALL_BYTES // 4 else spec.name,
            traced=None if traced is None else _bytes(traced),
        )

    def _labels(
        self, names: tuple[str, ...], before: Mapping[tuple[str, ...], "_LabelTexts"]
    ) -> "_LabelTexts":
        if names not in self._known:
            self._known[names] = _LabelTexts(names, before.get(names))
        return self._known[names]


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


class _LabelTexts(dict[tuple[str, ...], str]):
    """The text of label values under these names, as far as it was asked for on this page."""

    __slots__ = ("_before", "_names")

    def __init__(self, names: tuple[str, ...], before: "_LabelTexts | None") -> None:
        self._names = names
        self._before: Mapping[tuple[str, ...], str] = before if before is not None else {}

    def settle(self) -> None:
        """Forget the page before: this one is complete."""
        self._before = {}

    def __missing__(self, values: tuple[str, ...]) -> str:
        text = self._before.get(values)
        if text is None:
            pairs = sorted(zip(self._names, values, strict=True))
            text = (
                "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in pairs) + "} " if pairs else " "
            )
        self[values] = text
        return text


def number(value: int | float) -> str:
    """A value as the client prints it: as Python does, but from a million up with an exponent, as Go does."""
    if -1_000_000 < value < 1_000_000:
        return f"{value:d}.0" if isinstance(value, int) else repr(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if isinstance(value, int) and 0 < value < 2**53:
        whole, rest = str(value), "0"
    else:
        whole, _, rest = repr(float(value)).partition(".")
        if value < 0 or len(whole) <= 6:
            return repr(float(value))
    return f"{whole[0]}.{whole[1:]}{rest}".rstrip("0.") + f"e+{len(whole) - 1:02d}"


def _histogram(
    name: str,
    each: Distribution,
    labels: _LabelTexts,
    buckets: _LabelTexts,
    exemplars: Mapping[int, Exemplar] = MappingProxyType({}),
) -> str:
    key, histogram = each
    steps = (*zip(histogram.bounds, histogram.counts, strict=True), (math.inf, histogram.count))
    lines = [
        f"{name}_bucket{buckets[(*key, number(bound))]}{number(count)}{_exemplar(exemplars.get(place))}\n"
        for place, (bound, count) in enumerate(steps)
    ]
    lines.append(f"{name}_count{labels[key]}{number(histogram.count)}\n")
    lines.append(f"{name}_sum{labels[key]}{number(histogram.sum)}\n")
    return "".join(lines)


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    return f' # {{trace_id="{_escape(exemplar.trace_id)}"}} {number(exemplar.value)} {exemplar.timestamp}'


def _text_header(spec: Spec) -> str:
    kind = MetricType.GAUGE if spec.kind is MetricType.INFO else spec.kind
    help_text = spec.help.replace("\\", r"\\")
    return f"# HELP {spec.name} {help_text}\n# TYPE {spec.name} {kind}\n"


def _openmetrics_header(spec: Spec) -> str:
    unit = f"# UNIT {spec.base} {spec.unit}\n" if spec.unit else ""
    return f"# HELP {spec.base} {_escape(spec.help)}\n# TYPE {spec.base} {spec.kind}\n{unit}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
