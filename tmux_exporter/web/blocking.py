"""Blocking work in a thread beside the event loop."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Do the work in a thread of its own; the future holds its result or what it raised.

    A daemon thread, not the loop's pool: the pool is waited for when the loop ends, and a sample of a hung
    tmux server takes seconds.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(_succeed, future, work())
        except Exception as error:
            settle = partial(_fail, future, error)
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            # The loop has ended: nothing waits any more.
            return

    threading.Thread(target=run, name="web-work", daemon=True).start()
    return future


def _succeed(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[T]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class SingleFlight(Generic[T]):
    """One run of the work at a time; who asks meanwhile gets the result of the run under way."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._future: asyncio.Future[T | None] | None = None
        self._closed = False

    def close(self) -> None:
        """Answer all who wait with None, now and from now on."""
        self._closed = True
        if self._future is not None:
            _succeed(self._future, None)

    async def result(self, timeout: float) -> T | None:
        """What the run returned. Raises TimeoutError; the run goes on for those who wait longer."""
        if self._closed:
            return None
        if self._future is None or self._future.done():
            self._future = in_thread(self._work)
            # Marks what it raised as seen, even when all who asked have left.
            self._future.add_done_callback(_seen)
        async with asyncio.timeout(timeout):
            return await asyncio.shield(self._future)


def _seen(future: "asyncio.Future[T | None]") -> None:
    if not future.cancelled():
        future.exception()
