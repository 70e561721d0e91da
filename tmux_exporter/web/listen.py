"""The listening socket, made before anything else starts, so that a taken port ends the command at once."""

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from tmux_exporter.base.errors import UsageError
from tmux_exporter.config.parsers import UNIX, ListenAddress, parse_listen_address, parse_listen_text

# The kernel's queue of connections that nobody has accepted yet: hundreds may knock at the same moment, and
# one that does not fit into it tries again only after a second.
BACKLOG = 1024
_PORTS_TO_TRY = 50
# sd_listen_fds(3).
_FIRST_FD = 3

WhoListens = Callable[[int], str | None]
"""Who listens on a TCP port of this machine, in words for a person; None where that cannot be seen."""


# What the address family makes of host and port; longer for IPv6.
SocketAddress = tuple[Any, ...]


def open_listener(listen_address: str, who_listens: WhoListens) -> socket.socket:
    """A listening socket on `host:port`, on all addresses for `:port`, or on `unix:/path`.

    Raises UsageError with the mend.
    """
    try:
        if parse_listen_text(listen_address).startswith(UNIX):
            return _listen_unix(listen_address.removeprefix(UNIX))
        address = parse_listen_address(listen_address)
    except ValueError as error:
        raise UsageError(f"cannot listen: {error}") from None
    try:
        family, sockaddr = _resolve(address)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise UsageError(
            f"cannot listen on {listen_address}: {reason}; give an address of this machine: "
            f"--web.listen-address 127.0.0.1:{address.port}"
        ) from None
    try:
        return _listen(family, sockaddr)
    except OSError as error:
        raise UsageError(_explain(error, address, family, sockaddr, who_listens)) from None


def hands_over(environ: Mapping[str, str]) -> bool:
    """Whether systemd hands over sockets to this process."""
    return environ.get("LISTEN_PID") == str(os.getpid())


def inherited_listeners(environ: MutableMapping[str, str]) -> tuple[socket.socket, ...]:
    """The sockets that systemd hands over (sd_listen_fds). Raises UsageError where there are none."""
    ours, count = hands_over(environ), environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    if not ours or not count.isdigit():
        count = "0"
    found = tuple(socket.socket(fileno=_FIRST_FD + number) for number in range(int(count)))
    for each in found:
        if each.type != socket.SOCK_STREAM or not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise UsageError("systemd hands over a socket that takes no connections; give ListenStream= only")
        os.set_inheritable(each.fileno(), False)
        each.setblocking(False)
    if not found:
        raise UsageError(
            "systemd hands over no socket; start the socket unit, or leave out --web.systemd-socket"
        )
    return found


def remove_sockets(addresses: Iterable[str]) -> None:
    """Remove the Unix sockets that `open_listener` made, unless another process listens there by now."""
    for each in addresses:
        if each.startswith(UNIX):
            with suppress(OSError):
                _remove_abandoned(each.removeprefix(UNIX))


def show_address(host: str, port: int) -> str:
    """`host:port` as a person or a browser writes it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_unix(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            _remove_abandoned(path)
        # The path then never has more rights than this.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {UNIX}{path}: {os.strerror(error.errno or 0)}") from None
    listener.setblocking(False)
    return listener


def _remove_abandoned(path: str) -> None:
    # A connection to what is no socket is refused as well.
    if stat.S_ISSOCK(os.lstat(path).st_mode) and not _is_listened(path):
        os.unlink(path)


def _is_listened(path: str) -> bool:
    """Whether somebody takes connections at the path of a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
        return True


def _resolve(address: ListenAddress) -> tuple[socket.AddressFamily, SocketAddress]:
    if not address.host:
        # Where the kernel has no IPv6, IPv4's addresses are all.
        if socket.has_dualstack_ipv6():
            return socket.AF_INET6, ("::", address.port, 0, 0)
        return socket.AF_INET, ("0.0.0.0", address.port)  # noqa: S104 - what the user asked for
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # `localhost` has an IPv6 address too on most machines; what people type and scrape is the other one.
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    family, _, _, _, sockaddr = found[0]
    return family, sockaddr


def _listen(family: socket.AddressFamily, sockaddr: SocketAddress) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Takes a port that has only connections in TIME_WAIT; one that somebody listens on is still refused.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6 and sockaddr[0] == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(sockaddr)
        # Now and not when serving begins: with SO_REUSEADDR two may bind, and only the second listen fails.
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _explain(
    error: OSError,
    address: ListenAddress,
    family: socket.AddressFamily,
    sockaddr: SocketAddress,
    who_listens: WhoListens,
) -> str:
    where = show_address(address.host, address.port)
    if error.errno == errno.EADDRINUSE:
        holder = who_listens(address.port)
        by = f" by {holder}" if holder else ""
        other = show_address(address.host, _free_port(family, sockaddr))
        return f"cannot listen on {where}: in use{by}; take a free one: --web.listen-address {other}"
    if error.errno == errno.EACCES:
        other = show_address(address.host, 10077)
        return (
            f"cannot listen on {where}: not permitted; take a port above 1023: --web.listen-address {other}"
        )
    return (
        f"cannot listen on {where}: {os.strerror(error.errno or 0)}; give an address of this machine: "
        f"--web.listen-address 127.0.0.1:{address.port}"
    )


def _free_port(family: socket.AddressFamily, sockaddr: SocketAddress) -> int:
    """The next port that nobody listens on, else 0, which takes any."""
    host, taken, *rest = sockaddr
    for port in range(int(taken) + 1, min(int(taken) + _PORTS_TO_TRY, 65535)):
        try:
            _listen(family, (host, port, *rest)).close()
        except OSError:
            continue
        return port
    return 0
