"""Server-sent events: every viewer gets each new report, or only the newest when it is slow.

Nothing is queued for a viewer. It is woken after each sample and takes what is newest when the bytes before
have left; one that takes none for longer than `connections.STALL_SECONDS` loses its connection there.
"""

import asyncio
from collections.abc import Callable

from tmux_exporter.base.clock import Clock
from tmux_exporter.web.feed import Feed
from tmux_exporter.web.responses import ALWAYS, Message, Receive, Send, send_pieces

MAX_VIEWERS = 16
KEEP_ALIVE_SECONDS = 15.0
FIRST_SECONDS = 1.0
"""How long the first report waits for a sample where the last one is older than promised."""

_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": (*ALWAYS, (b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")),
}


class Viewers:
    """All open event streams, at most `limit`."""

    def __init__(self, feed: Feed, clock: Clock, *, limit: int = MAX_VIEWERS) -> None:
        self._feed = feed
        self._clock = clock
        self._limit = limit
        self._open: set[_Viewer] = set()
        self._closing = False

    @property
    def full(self) -> bool:
        """No room for another viewer."""
        return self._closing or len(self._open) >= self._limit

    def close(self) -> None:
        """End all streams, for good."""
        self._closing = True
        for viewer in self._open:
            viewer.end()

    async def head(self, send: Send) -> None:
        """What a stream would begin with."""
        await send(_START)
        await send({"type": "http.response.body", "body": b""})

    async def serve(self, receive: Receive, send: Send) -> None:
        """Stream to one viewer until it leaves or the server closes."""
        viewer = _Viewer()
        self._open.add(viewer)
        unsubscribe = self._feed.subscribe(viewer.waker())
        watch = asyncio.create_task(viewer.watch(receive))
        try:
            await self._stream(viewer, send)
        finally:
            unsubscribe()
            watch.cancel()
            self._open.discard(viewer)

    async def _stream(self, viewer: "_Viewer", send: Send) -> None:
        await send(_START)
        await _event(send, b"retry: 2000\n\n")
        if not self._feed.looked():
            # Its subscription has the next sample taken now.
            await viewer.woken(FIRST_SECONDS)
        seen: int | None = None
        while not viewer.ended:
            published = self._feed.current()
            if published is not None and published.sequence != seen:
                seen = published.sequence
                # The time goes with it: the age of a sample is then right on a page whose clock is wrong.
                await _event(send, b"event: now\ndata: %.3f\n\n" % self._clock.time())
                await _event(send, b"event: report\ndata: ")
                await send_pieces(published.json, send)
                await _event(send, b"\n\n")
            elif not await viewer.woken(KEEP_ALIVE_SECONDS):
                await _event(send, b": keep-alive\n\n")
                await _event(send, b"event: now\ndata: %.3f\n\n" % self._clock.time())
        await send({"type": "http.response.body", "body": b""})


async def _event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


class _Viewer:
    def __init__(self) -> None:
        self.ended = False
        self._wake = asyncio.Event()

    def end(self) -> None:
        self.ended = True
        self._wake.set()

    def waker(self) -> Callable[[], None]:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:
                # The loop ended between the sample and this call; the sampler must not pay for it.
                return

        return wake

    async def woken(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()
