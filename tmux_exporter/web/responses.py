"""HTTP responses and how they are sent: headers of every response, bodies in pieces."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json; charset=utf-8"

ALWAYS: tuple[Header, ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
CLOSE: Header = (b"connection", b"close")

# A page goes out in pieces of this size, each only when the one before has left: a thousand slow readers
# then hold a thousand pieces in memory and not a thousand pages.
PIECE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer; `headers` come on top of `ALWAYS`, the content's type and its length."""

    status: int
    body: bytes
    content_type: bytes = TEXT
    headers: tuple[Header, ...] = ()


def message(status: int, line: str, *headers: Header) -> Response:
    """A short answer for a person: one line of plain text."""
    return Response(status=status, body=f"{line}\n".encode(), headers=headers)


async def send_response(
    response: Response, send: Send, *, head: bool, extra: tuple[Header, ...] = ()
) -> None:
    """Send it; for HEAD the same headers without the body."""
    headers = (
        *ALWAYS,
        *response.headers,
        *extra,
        (b"content-type", response.content_type),
        (b"content-length", str(len(response.body)).encode()),
    )
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if not head:
        await send_pieces(response.body, send)
    await send({"type": "http.response.body", "body": b""})


async def send_pieces(body: bytes, send: Send) -> None:
    """Send bytes of a body that goes on; returns when the last piece but one has left."""
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        piece = bytes(view[start : start + PIECE])
        await send({"type": "http.response.body", "body": piece, "more_body": True})


INDEX = "index.html"

_TYPES = {
    INDEX: b"text/html; charset=utf-8",
    "app.js": b"text/javascript; charset=utf-8",
    "charts.js": b"text/javascript; charset=utf-8",
    "columns.js": b"text/javascript; charset=utf-8",
    "copy.js": b"text/javascript; charset=utf-8",
    "detail.js": b"text/javascript; charset=utf-8",
    "feed.js": b"text/javascript; charset=utf-8",
    "format.js": b"text/javascript; charset=utf-8",
    "keys.js": b"text/javascript; charset=utf-8",
    "needs.js": b"text/javascript; charset=utf-8",
    "notices.js": b"text/javascript; charset=utf-8",
    "notify.js": b"text/javascript; charset=utf-8",
    "past.js": b"text/javascript; charset=utf-8",
    "places.js": b"text/javascript; charset=utf-8",
    "rates.js": b"text/javascript; charset=utf-8",
    "sections.js": b"text/javascript; charset=utf-8",
    "spending.js": b"text/javascript; charset=utf-8",
    "background.js": b"text/javascript; charset=utf-8",
    "table.js": b"text/javascript; charset=utf-8",
    "things.js": b"text/javascript; charset=utf-8",
    "words.js": b"text/javascript; charset=utf-8",
    "detail.css": b"text/css; charset=utf-8",
    "needs.css": b"text/css; charset=utf-8",
    "runbook.css": b"text/css; charset=utf-8",
    "style.css": b"text/css; charset=utf-8",
    "table.css": b"text/css; charset=utf-8",
    "favicon.svg": b"image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFiles:
    """The page at `/`, and what it loads by the path that it asks for."""

    index: Response
    assets: dict[str, Response]


def load_pages() -> PageFiles:
    """Read the packaged files, a closed list, once: no path of a request reaches the disk."""
    folder = Path(__file__).parent / "assets"
    read = {
        name: Response(status=200, body=(folder / name).read_bytes(), content_type=kind)
        for name, kind in _TYPES.items()
    }
    index = read.pop(INDEX)
    return PageFiles(index=index, assets={f"/assets/{name}": response for name, response in read.items()})
