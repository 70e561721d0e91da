"""Guard against DNS rebinding and cross-site requests: which Host and Origin are answered.

A browser on this machine reaches 127.0.0.1, and DNS rebinding lets any page do so under its own name: the
request then carries that name as its Host, so a Host that is not ours is refused. What is ours:

- listening on a loopback address: loopback addresses and `localhost`;
- listening on another address: besides these this machine's host name and every IP address, because a page
  that was loaded from an address can only talk to that same address: there is no name to rebind;
- the host of `web.listen_address`, and everything in `web.allowed_hosts`, in both cases.

So a Prometheus that scrapes another machine by a DNS name needs that name in `web.allowed_hosts`; one that
scrapes by address or by plain host name needs nothing. Ports do not count: a forwarded port has another
number. An Origin must name the very host and port of the request, or an allowed host.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping

_HOST_AND_PORT = r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?"
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


class HostGuard:
    """Decides by the headers Host and Origin. `bound` is the address that the most exposed socket has."""

    def __init__(
        self, *, bound: str, listen_hosts: Iterable[str], allowed: Iterable[str], hostname: str
    ) -> None:
        self._any_address = not is_loopback(bound)
        self._allowed = frozenset(_canonical(name) for name in allowed)
        names = {*_LOOPBACK_NAMES, *self._allowed, *map(_canonical, listen_hosts)}
        if self._any_address:
            names |= {_canonical(hostname), _canonical(hostname).partition(".")[0]}
        self._names = frozenset(names)

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why the request is not answered, with the mend; None when it may be. No Host: no browser."""
        host = _split(headers["host"]) if "host" in headers else None
        if "host" in headers and (host is None or not self._is_ours(host[0])):
            shown = host[0] if host else "NAME"
            return (
                "this Host is not one of this exporter's names (a guard against DNS rebinding); "
                f"if it is, add it to the configuration: web: {{allowed_hosts: ['{shown}']}}"
            )
        if "origin" in headers:
            origin = re.fullmatch(r"https?://(.*)", headers["origin"], re.IGNORECASE)
            asked_by = _split(origin[1]) if origin else None
            if asked_by is None or (asked_by != host and asked_by[0] not in self._allowed):
                return (
                    "this Origin is another site; if it is yours, add its host to the configuration: "
                    "web: {allowed_hosts: [NAME]}"
                )
        return None

    def _is_ours(self, host: str) -> bool:
        if host in self._names:
            return True
        return _is_address(host) if self._any_address else is_loopback(host)


def _split(text: str) -> tuple[str, str | None] | None:
    match = re.fullmatch(_HOST_AND_PORT, text.strip())
    return (_canonical(match[1] or match[2]), match[3]) if match else None


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower().removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether this is an address that only this machine reaches."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
