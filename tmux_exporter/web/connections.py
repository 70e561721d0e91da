"""HTTP connections with limits: uvicorn's h11 protocol with deadlines for slow and idle clients.

uvicorn has no deadline for a request's header, and its own limit answers 503 to the next scraper while the
half-open connections that fill it stay. Here:

- a connection that has no complete header `header_timeout` after its first byte (the first one: after it was
  made) is closed;
- an idle kept connection is closed after `KEEP_ALIVE_SECONDS`;
- a client that does not take what is written to it is dropped after `STALL_SECONDS`;
- at `max_connections` the one that has been idle longest makes room for the new one; a connection whose
  header is not complete counts as idle. Only when all are busy goes the one that has been busy longest.
"""

import asyncio
import os
import socket
import struct
from time import gmtime, strftime
from typing import Any, Protocol, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

# Longer than the usual 60 s between two scrapes, so that a scraper keeps its connection.
KEEP_ALIVE_SECONDS = 75
STALL_SECONDS = 10.0
MAX_HEADER_BYTES = 16_384
# asyncio accepts up to this many connections before it reads from any. Fewer than the smallest sensible
# `max_connections`, so that in a rush no client is dropped before the header that it sent was read.
ACCEPT_AT_ONCE = 16


# What `scope["state"]` says of a request's connection.
CONNECTION = "connection"
AUTHENTICATED = "authenticated"
"""It has shown a certificate that was demanded, or a user's password."""
SAME_USER = "same_user"
"""It came over a Unix socket from this process's user, or root."""
TRUST = "trust"
"""What was demanded of it when it was made."""


class Connection(Protocol):
    """What a limit can end."""

    def drop(self) -> None:
        """End it now."""


class Limits:
    """What a connection may do, and who is connected; the two numbers may change while serving."""

    def __init__(self, *, max_connections: int, header_timeout: float) -> None:
        self.max_connections = max_connections
        self.header_timeout = header_timeout
        # Both oldest first: a dict keeps the order in which its keys came.
        self._idle: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}

    def admit(self, new: Connection) -> None:
        """Make room for one and admit it."""
        while len(self._idle) + len(self._busy) >= self.max_connections:
            victim = next(iter(self._idle or self._busy))
            self.forget(victim)
            victim.drop()
        self._idle[new] = None

    def mark_busy(self, connection: Connection) -> None:
        """A request's header is complete and its answer is not."""
        if self._idle.pop(connection, self) is None:
            self._busy[connection] = None

    def mark_idle(self, connection: Connection) -> None:
        """The answer is complete."""
        if self._busy.pop(connection, self) is None:
            self._idle[connection] = None

    def forget(self, connection: Connection) -> None:
        """It is gone or going."""
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)

    def drop_all(self) -> None:
        """Drop all that are left."""
        for connection in (*self._idle, *self._busy):
            self.forget(connection)
            connection.drop()


class GuardedConfig(Config):
    """uvicorn as we run it: nothing to the log but errors, no trusted proxies, no websockets."""

    def __init__(self, app: Any, limits: Limits) -> None:  # noqa: ANN401
        super().__init__(
            app,
            http=GuardedProtocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=ACCEPT_AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        self.limits = limits


class GuardedProtocol(H11Protocol):
    """One connection."""

    def __init__(
        self,
        config: GuardedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, CONNECTION: self}, _loop)
        self._limits = config.limits
        self._header_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def drop(self) -> None:
        """End the connection now; what is still unwritten is thrown away."""
        if self.transport.get_write_buffer_size():
            self._reset()
        else:
            self.transport.close()

    def _reset(self) -> None:
        # Without this the kernel goes on holding megabytes for a reader that does not read.
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit it, even if another connection has to go, and wait for a header."""
        super().connection_made(transport)
        self.app_state[SAME_USER] = _is_same_user(transport.get_extra_info("socket"))
        if self.app_state[SAME_USER]:
            self.app_state[AUTHENTICATED] = True
        self._limits.admit(self)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it, and every timer: one that is left holds the whole connection in memory."""
        self._limits.forget(self)
        self._cancel_header_timer()
        self.resume_writing()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def handle_events(self) -> None:
        """Update timers and state after bytes arrived: header incomplete, or a request to answer."""
        # uvicorn wakes each second to write the date anew, which cost more than the samples of a small fleet.
        self.server_state.default_headers = [
            (b"date", strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime()).encode())
        ]
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._cancel_header_timer()
        elif self.conn.trailing_data[0]:
            self._await_header()
        if self._unanswered():
            self._limits.mark_busy(self)

    def on_response_complete(self) -> None:
        """Idle, unless the next request is already here: then the base class makes it busy again."""
        self._limits.mark_idle(self)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; in the middle of an answer only the end of the connection says so."""
        if cycle := self._unanswered():
            cycle.disconnected = True
            self._reset()
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self._reset)

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a long time."""
        self.drop()

    def shutdown(self) -> None:
        """The server stops: no further request, what is written still goes out."""
        if cycle := self._unanswered():
            cycle.keep_alive = False
        else:
            self.transport.close()

    def _unanswered(self) -> RequestResponseCycle | None:
        # uvicorn declares the cycle without the None that it is before the first request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def _await_header(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self._limits.header_timeout, self.drop)

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def _is_same_user(connection: socket.socket) -> bool:
    """Whether the other end of a Unix socket belongs to this user, or to root."""
    if connection.family is not socket.AF_UNIX:
        return False
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", peer)[1] in (0, os.getuid())
