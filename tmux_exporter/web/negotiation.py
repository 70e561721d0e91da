"""Which of the prepared pages a scraper gets."""

import re

from tmux_exporter.web.feed import Published
from tmux_exporter.web.responses import Header, Response

PLAIN = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
VARY: Header = (b"vary", b"Accept, Accept-Encoding")


def page(published: Published, *, accept: str, accept_encoding: str) -> Response:
    """The page in the format and encoding asked for; the bytes are made once for each sample."""
    compressed = accepts_gzip(accept_encoding)
    if wants_openmetrics(accept):
        kind, body = OPENMETRICS, published.openmetrics_gzip if compressed else published.openmetrics
    else:
        kind, body = PLAIN, published.text_gzip if compressed else published.text
    encoding: tuple[Header, ...] = ((b"content-encoding", b"gzip"),) if compressed else ()
    return Response(status=200, body=body, content_type=kind, headers=(VARY, *encoding))


def wants_openmetrics(accept: str) -> bool:
    """As prometheus_client decides: the first format whose version we have; weights do not count.

    Our names need no escaping scheme, so only the format counts.
    """
    for offer in accept.split(","):
        kind, *parameters = (part.strip() for part in offer.split(";"))
        version = next(
            (each.removeprefix("version=") for each in parameters if each.startswith("version=")), ""
        )
        if kind == "application/openmetrics-text" and (not version or _is_1_0_0(version)):
            return True
        if kind == "text/plain" and _is_1_0_0(version):
            return False
    return False


def _is_1_0_0(version: str) -> bool:
    """Whether a version is 1.0.0 or later; what is no version is not."""
    parts = version.split(".")
    return all(map(str.isdecimal, parts)) and [int(part[:9]) for part in parts] >= [1, 0, 0]


def accepts_gzip(accept_encoding: str) -> bool:
    """True unless gzip is not named, or named with a weight of zero."""
    for offer in accept_encoding.split(","):
        coding, *parameters = (part.strip().lower() for part in offer.split(";"))
        if coding in ("gzip", "x-gzip"):
            return not any(_is_zero(parameter) for parameter in parameters)
    return False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and re.fullmatch(r"0(\.0*)?", value.strip()) is not None
