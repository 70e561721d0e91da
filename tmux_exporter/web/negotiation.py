"""Which of the prepared pages a scraper gets."""

import re
from functools import lru_cache

from prometheus_client.exposition import choose_encoder

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


@lru_cache(maxsize=64)
def wants_openmetrics(accept: str) -> bool:
    """As prometheus_client decides; our names need no escaping scheme, so only the format counts."""
    try:
        _, content_type = choose_encoder(accept)
    except TypeError:
        # `version=1.x`: it compares numbers with words.
        return False
    return content_type.startswith("application/openmetrics-text")


@lru_cache(maxsize=64)
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
