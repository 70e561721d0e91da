"""The live page's files: a closed list, read once: no path of a request reaches the disk."""

from dataclasses import dataclass
from importlib.resources import files

from tmux_exporter.web.responses import Response

INDEX = "index.html"

_TYPES = {
    INDEX: b"text/html; charset=utf-8",
    "app.js": b"text/javascript; charset=utf-8",
    "feed.js": b"text/javascript; charset=utf-8",
    "format.js": b"text/javascript; charset=utf-8",
    "rates.js": b"text/javascript; charset=utf-8",
    "sections.js": b"text/javascript; charset=utf-8",
    "table.js": b"text/javascript; charset=utf-8",
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
    """Read the packaged files."""
    folder = files("tmux_exporter.web") / "assets"
    read = {
        name: Response(status=200, body=(folder / name).read_bytes(), content_type=kind)
        for name, kind in _TYPES.items()
    }
    index = read.pop(INDEX)
    return PageFiles(index=index, assets={f"/assets/{name}": response for name, response in read.items()})
