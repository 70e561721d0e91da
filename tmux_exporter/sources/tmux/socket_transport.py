"""Query a tmux server over its socket: connect, check the peer, send, receive. Never blocks."""

import errno
import os
import selectors
import socket
import struct
import sys
from collections.abc import Sequence

from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.answer import ExchangeResult, Judge
from tmux_exporter.sources.tmux.protocol import Conversation, request
from tmux_exporter.sources.tmux.request_check import UnsafeRequestError, check_request

_CHUNK = 1 << 16
_CREDENTIALS = struct.Struct("=iII")
# Other systems have no SO_PEERCRED, or one with its fields in another order.
_PEER_IS_KNOWN = sys.platform == "linux"
_CONNECT_FAILURES = {
    errno.ENOENT: (QueryFailure.NOSERVER, "the socket does not exist"),
    errno.ENOTDIR: (QueryFailure.NOSERVER, "the socket does not exist"),
    errno.ECONNREFUSED: (QueryFailure.NOSERVER, "no process listens on the socket"),
    errno.EPROTOTYPE: (QueryFailure.NOSERVER, "the socket is of another kind than tmux's"),
    errno.EACCES: (QueryFailure.DENIED, "no permission to connect to the socket"),
    errno.EPERM: (QueryFailure.DENIED, "no permission to connect to the socket"),
    errno.EAGAIN: (QueryFailure.HUNG, "the server accepts no connection and its backlog is full"),
}


class ConnectError(Exception):
    """No connection to a process of our own uid."""

    def __init__(self, failure: QueryFailure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def connect(path: str, uid: int) -> tuple[socket.socket, int]:
    """Connect to the process that listens at `path`. Returns the connection and its pid; sends nothing.

    The kernel names the process that called `listen` (SO_PEERCRED), even a stopped one. Raises
    ConnectError, also if it belongs to another user or is not in our pid namespace.
    """
    if not path.startswith("/") or "\0" in path:
        raise ConnectError(QueryFailure.NOSERVER, "not an absolute path of a socket")
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectError(QueryFailure.PARTIAL, f"no socket to ask with: {error.strerror}") from error
    try:
        connection.setblocking(False)
        connection.connect(os.fsencode(path))
        if not _PEER_IS_KNOWN:
            connection.close()
            raise ConnectError(QueryFailure.UNTRUSTED, "this system does not say who listens on a socket")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError as error:
        connection.close()
        raise _connect_error(error) from error
    pid, peer_uid, _ = _CREDENTIALS.unpack(credentials)
    if peer_uid != uid or pid <= 0:
        connection.close()
        who = f"uid {peer_uid}" if pid > 0 else "a process of another pid namespace"
        raise ConnectError(QueryFailure.UNTRUSTED, f"{who} listens on the socket, not a process of uid {uid}")
    return connection, pid


def _connect_error(error: OSError) -> ConnectError:
    if error.errno is None:
        # Python refuses a path of more than 107 bytes itself; nothing can be bound there either.
        return ConnectError(QueryFailure.NOSERVER, "the path is too long for a socket")
    failure, detail = _CONNECT_FAILURES.get(error.errno, (QueryFailure.PARTIAL, f"connect: {error.strerror}"))
    return ConnectError(failure, detail)


class SocketExchange:
    """The exchange on one connection, driven by a selector until `outcome` is set or `close` is called."""

    def __init__(
        self,
        connection: socket.socket,
        arguments: Sequence[str],
        judge: Judge,
        selector: selectors.BaseSelector,
    ) -> None:
        self.outcome: ExchangeResult | None = None
        self._connection = connection
        self._judge = judge
        self._selector = selector
        self._conversation = Conversation(os.getpid())
        self._outgoing = request(arguments, os.getpid())
        try:
            check_request(self._outgoing)
        except UnsafeRequestError:
            connection.close()
            raise
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, self._on_ready)

    def close(self) -> None:
        """Close the connection; safe at any point."""
        if self._connection.fileno() >= 0:
            self._selector.unregister(self._connection)
            self._connection.close()

    def _on_ready(self, _: object, events: int) -> None:
        if events & selectors.EVENT_READ:
            self._receive()
        if self._outgoing:
            self._send()
        if self._conversation.done:
            self._finish()
        else:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
            self._selector.modify(self._connection, wanted, self._on_ready)

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._outgoing += self._conversation.feed(data)
        else:
            self._conversation.end()

    def _send(self) -> None:
        try:
            sent = self._connection.send(self._outgoing, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return
        except OSError:
            # The server closed the connection; its earlier bytes must still be read.
            self._outgoing = b""
        else:
            self._outgoing = self._outgoing[sent:]

    def _finish(self) -> None:
        talk = self._conversation
        if talk.exit_status is None:
            self.outcome = ExchangeResult(failure=talk.failure, detail=talk.detail)
        else:
            self.outcome = self._judge(talk.exit_status, talk.stdout, talk.stderr)
        self.close()
