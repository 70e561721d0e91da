"""The ASGI application: which path answers what. It writes finished bytes and computes nothing."""

import asyncio
import contextlib
import gzip
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.web import negotiation, runbooks
from tmux_exporter.web.blocking import SingleFlight, in_thread
from tmux_exporter.web.connections import AUTHENTICATED
from tmux_exporter.web.events import Viewers
from tmux_exporter.web.feed import Feed, Published
from tmux_exporter.web.guards import HostGuard
from tmux_exporter.web.responses import (
    CLOSE,
    JSON,
    Receive,
    Response,
    Scope,
    Send,
    load_pages,
    message,
    send_response,
)

EVENTS = "/api/v1/events"
FRESH_SECONDS = 10.0
"""How long `fresh=1` waits for a scraper that does not say how long it will."""
ALERTS_SECONDS = 3.0
"""How long a reader waits for the alerts: a name server may need longer than the Prometheus."""
REPORT_SECONDS = 1.0
"""How long the report waits for a sample where the last one is older than promised; readers wait for 2 s."""
SCRAPE_OFFSET_SECONDS = 0.5
"""What is left of a scraper's timeout for the way back."""

_PID_DIGITS = 10

_log = logging.getLogger(__name__)

_READ = ("GET", "HEAD")
_NO_ALERTS = message(504, "the Prometheus that knows the alerts has not answered in time")
_NOTHING_HERE = message(404, "there is nothing here; / is the live page, /metrics is for Prometheus")
_NO_THING = message(400, "name a server, with session, agent or pane; or the pid of a scheduler or a leak")
_GONE = message(404, "the last sample has no such thing")
_NO_SAMPLE = message(503, "no sample has been taken yet", (b"retry-after", b"1"))


@dataclass(frozen=True, slots=True)
class Request:
    """What the handlers read; `headers` by lower-case name, several of one name joined by commas."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    authenticated: bool = False

    @property
    def has_body(self) -> bool:
        """A body follows the header."""
        return "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"


Handler = Callable[[Request], Awaitable[Response]]


class App:
    """Serves one feed. `guard` may be exchanged while it runs."""

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        guard: HostGuard,
        read_alerts: Callable[[], bytes],
        reload: Callable[[], Sequence[str]],
    ) -> None:
        self.guard = guard
        self._reload_all = reload
        self._alerts = SingleFlight(read_alerts)
        self._feed = feed
        self._viewers = Viewers(feed, clock)
        self._fresh = SingleFlight(feed.fresh)
        self._recent = SingleFlight(feed.recent)
        self._collecting = asyncio.Lock()
        self._pages = load_pages()
        self._routes: dict[str, tuple[tuple[str, ...], Handler]] = {
            "/": (_READ, self._index),
            "/metrics": (_READ, self._metrics),
            "/-/healthy": (_READ, self._healthy),
            "/-/ready": (_READ, self._ready),
            "/-/reload": (("POST", "PUT"), self._reload),
            "/api/v1/report": (_READ, self._report),
            "/api/v1/alerts": (_READ, self._firing),
            "/api/v1/detail": (_READ, self._detail),
            "/api/v1/history": (_READ, self._history),
            EVENTS: (_READ, self._no_room),
            runbooks.PATH: (_READ, self._runbook),
            **dict.fromkeys(self._pages.assets, (_READ, self._asset)),
        }

    def close(self) -> None:
        """End all waiting requests, so that the server can stop at once."""
        self._viewers.close()
        self._fresh.close()
        self._recent.close()
        self._alerts.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            authenticated=bool(scope["state"].get(AUTHENTICATED)),
        )
        response = self._refuse(request)
        if response is None and request.path == EVENTS:
            if request.method == "HEAD":
                return await self._viewers.head(send)
            if not self._viewers.full:
                return await self._viewers.serve(receive, send)
        if response is None:
            response = await self._answer(request)
        # Nothing here reads a body, so the connection cannot be used for another request after one.
        extra = (CLOSE,) if request.has_body else ()
        return await send_response(response, send, head=request.method == "HEAD", extra=extra)

    def _refuse(self, request: Request) -> Response | None:
        refusal = self.guard.refusal(request.headers)
        if refusal is not None:
            return message(403, refusal)
        if (route := _route(request.path)) not in self._routes:
            return _NOTHING_HERE
        methods, _ = self._routes[route]
        if request.method not in methods:
            allow = ", ".join(methods)
            return message(405, f"this path takes {allow}", (b"allow", allow.encode()))
        if request.method in _READ and request.has_body:
            return message(400, "a request for this path has no body")
        return None

    async def _answer(self, request: Request) -> Response:
        _, handler = self._routes[_route(request.path)]
        try:
            return await handler(request)
        except Exception:
            _log.exception("request failed", extra=log_fields(path=request.path))
            return message(500, "this request failed inside the exporter; its log says why")

    async def _index(self, _: Request) -> Response:
        return self._pages.index

    async def _asset(self, request: Request) -> Response:
        return self._pages.assets[request.path]

    async def _healthy(self, _: Request) -> Response:
        return message(200, "healthy")

    async def _ready(self, _: Request) -> Response:
        return message(200, "ready") if self._feed.current() else _NO_SAMPLE

    async def _reload(self, request: Request) -> Response:
        if not request.authenticated:
            return message(
                403,
                "only for who has shown a password or a certificate (--web.config.file), or uses the Unix "
                "socket; or send SIGHUP to the exporter's process",
            )
        problems = await in_thread(self._reload_all)
        if problems:
            return message(500, "\n".join(problems))
        return message(200, "configuration applied")

    async def _report(self, _: Request) -> Response:
        if not self._feed.looked():
            await _wait(self._recent, REPORT_SECONDS)
        published = self._feed.current()
        return Response(status=200, body=published.json, content_type=JSON) if published else _NO_SAMPLE

    async def _firing(self, _: Request) -> Response:
        try:
            body = await self._alerts.result(ALERTS_SECONDS)
        except TimeoutError:
            body = None
        return Response(status=200, body=body, content_type=JSON) if body else _NO_ALERTS

    async def _detail(self, request: Request) -> Response:
        if (wanted := _wanted(request.query)) is None:
            return _NO_THING
        async with self._collecting:
            body = await in_thread(lambda: self._feed.detail(wanted))
        return Response(status=200, body=body, content_type=JSON) if body else _GONE

    async def _history(self, request: Request) -> Response:
        async with self._collecting:
            body = await in_thread(self._feed.history)
        encoding: tuple[tuple[bytes, bytes], ...] = ((b"content-encoding", b"gzip"),)
        if not negotiation.accepts_gzip(request.headers.get("accept-encoding", "")):
            body, encoding = await in_thread(lambda: gzip.decompress(body)), ()
        return Response(status=200, body=body, content_type=JSON, headers=(negotiation.VARY, *encoding))

    async def _runbook(self, request: Request) -> Response:
        try:
            query = parse_qs(request.query, max_num_fields=10)
        except ValueError:
            return message(400, "too many parameters in the query")
        return await in_thread(lambda: runbooks.runbook(request.path, query)) or _NOTHING_HERE

    async def _no_room(self, _: Request) -> Response:
        return message(
            503, "too many live pages are open; close one, or read /api/v1/report", (b"retry-after", b"30")
        )

    async def _metrics(self, request: Request) -> Response:
        try:
            query = parse_qs(request.query, keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return message(400, "too many parameters in the query")
        fresh = query.get("fresh", ["0"])[-1]
        if fresh not in ("0", "1"):
            return message(400, "fresh is 0 or 1")
        patience = _patience(request.headers)
        if fresh == "1":
            self._feed.looked()
            await _wait(self._fresh, patience)
        elif not self._feed.scraped():
            await _wait(self._recent, patience)
        if (published := self._feed.current()) is None:
            return _NO_SAMPLE
        if "collect[]" in query:
            return await self._collect(query["collect[]"])
        return negotiation.page(
            published,
            accept=request.headers.get("accept", ""),
            accept_encoding=request.headers.get("accept-encoding", ""),
        )

    async def _collect(self, names: list[str]) -> Response:
        # One at a time: these pages are not made beforehand.
        async with self._collecting:
            text = await in_thread(lambda: self._feed.collect(names))
        if text is None:
            known = ", ".join(self._feed.collectors)
            return message(400, f"collect[] names a collector that does not exist; it takes {known}")
        return Response(status=200, body=text, content_type=negotiation.PLAIN)


def _route(path: str) -> str:
    """The path under which the handler stands: all runbooks have one."""
    return runbooks.PATH if path.startswith(runbooks.PATH) else path


def _wanted(query: str) -> Wanted | None:
    """The thing that a query names; None where it names none."""
    try:
        given = {name: values[-1] for name, values in parse_qs(query, max_num_fields=10).items()}
    except ValueError:
        return None
    if pid := given.get("pid", ""):
        return Wanted(pid=int(pid)) if pid.isascii() and pid.isdecimal() and len(pid) <= _PID_DIGITS else None
    server, session, agent, pane = (given.get(name, "") for name in ("server", "session", "agent", "pane"))
    return Wanted(server=server, session=session, agent=agent, pane=pane) if server else None


async def _wait(sample: SingleFlight[Published | None], patience: float) -> None:
    """Until the sample is taken, at most so many seconds: then the last one has to do."""
    with contextlib.suppress(TimeoutError):
        await sample.result(patience)


def _patience(headers: Mapping[str, str]) -> float:
    """Seconds to wait for a fresh sample: a scraper's own timeout less the way back, within reason."""
    try:
        stated = float(headers.get("x-prometheus-scrape-timeout-seconds", ""))
    except ValueError:
        return FRESH_SECONDS
    if not math.isfinite(stated):
        return FRESH_SECONDS
    return min(max(stated - SCRAPE_OFFSET_SECONDS, 0.1), 60.0)
