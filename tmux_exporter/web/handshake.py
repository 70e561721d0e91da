"""A connection before it is encrypted: it counts and ends as an idle one does, from its first moment.

asyncio's own TLS servers tell of a connection only after its handshake, so that half-open ones would have no
limit.
"""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Mapping
from typing import Any

from tmux_exporter.web.connections import GuardedProtocol, Limits

_GOODBYE_SECONDS = 1.0
# asyncio fills a buffer of 256 KiB for each connection before it has said anything. One record of TLS is 16.
SSLProtocol.max_size = 16_384 + 512


class Handshake(asyncio.Protocol):
    """Hands the connection on to what `then` makes, unless it `refuses` the client's certificate."""

    def __init__(
        self,
        then: Callable[[], GuardedProtocol],
        context: ssl.SSLContext,
        limits: Limits,
        refuses: Callable[[Mapping[str, Any] | None], bool],
    ) -> None:
        self._then = then
        self._context = context
        self._limits = limits
        self._refuses = refuses
        self._early = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit it, even if another connection has to go, and begin."""
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._transport = transport
        self._limits.admit(self)
        self._task = asyncio.get_running_loop().create_task(self._encrypt(transport))

    def data_received(self, data: bytes) -> None:
        """Keep a request that came with the end of the handshake."""
        self._early += data

    def connection_lost(self, _: Exception | None) -> None:
        """It ended before it was handed on."""
        self._lost = True

    def drop(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._limits.header_timeout,
                ssl_shutdown_timeout=_GOODBYE_SECONDS,
            )
        except (OSError, asyncio.CancelledError):
            # Also what ssl raises: no TLS, a version or a certificate that is not taken.
            transport.abort()
            return
        finally:
            self._limits.forget(self)
        if encrypted is None or self._lost:
            return
        if self._refuses(encrypted.get_extra_info("peercert")):
            encrypted.abort()
            return
        protocol = self._then()
        encrypted.set_protocol(protocol)
        protocol.connection_made(encrypted)
        if self._early:
            protocol.data_received(bytes(self._early))
