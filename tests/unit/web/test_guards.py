"""Whose requests are answered: Host and Origin."""

import pytest

from tmux_exporter.web.guards import HostGuard


def guard(bound: str = "127.0.0.1", listen: str = "127.0.0.1", *allowed: str) -> HostGuard:
    return HostGuard(bound=bound, listen_hosts=[listen], allowed=allowed, hostname="Devbox.corp.example")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:10077", "127.0.0.1", "127.8.9.1:80", "localhost", "LocalHost:10077", "localhost.",
        "[::1]:10077",
    ],
)  # fmt: skip
def test_a_loopback_listener_answers_to_loopback_names(host: str) -> None:
    assert guard().refusal({"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:10077", "localhost.evil.example", "127.0.0.1.evil.example",
        "192.0.2.7:10077", "devbox", "[2001:db8::1]", "[::ffff:192.0.2.7]", "", " ", "127.0.0.1:99999999",
        "127.0.0.1@evil.example", "evil.example, 127.0.0.1", "[::1", "2130706433.",
    ],
)  # fmt: skip
def test_a_loopback_listener_refuses_every_other_host(host: str) -> None:
    assert guard().refusal({"host": host}) is not None


@pytest.mark.parametrize(
    "host", ["192.0.2.7:10077", "[2001:db8::1]:10077", "devbox", "devbox.corp.example", "localhost"]
)
def test_an_open_listener_answers_to_addresses_and_its_own_name(host: str) -> None:
    assert guard("0.0.0.0", "0.0.0.0").refusal({"host": host}) is None


@pytest.mark.parametrize("host", ["evil.example", "devbox.evil.example", "devbox.corp.example.evil"])
def test_an_open_listener_refuses_foreign_names(host: str) -> None:
    assert guard("::", "::").refusal({"host": host}) is not None


def test_the_refusal_says_what_to_write_where() -> None:
    refusal = guard().refusal({"host": "box.lan:10077"})
    assert refusal is not None
    assert "web: {allowed_hosts: ['box.lan']}" in refusal


def test_a_refusal_never_repeats_what_is_no_host() -> None:
    refusal = guard().refusal({"host": "<script>alert(1)</script>"})
    assert refusal is not None
    assert "script" not in refusal


def test_allowed_hosts_and_the_listen_host_are_ours() -> None:
    chosen = guard("127.0.0.1", "Box.lan", "metrics.example", "192.0.2.7", "2001:DB8::0001")
    for host in ("box.lan", "METRICS.example:443", "192.0.2.7", "[2001:db8::1]"):
        assert chosen.refusal({"host": host}) is None
    assert chosen.refusal({"host": "192.0.2.8"}) is not None


def test_no_host_is_no_browser() -> None:
    assert guard().refusal({}) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:10077", "http://127.0.0.1:10077"),
        ("localhost:10077", "http://LOCALHOST:10077"),
        ("[::1]:10077", "http://[::1]:10077"),
        ("metrics.example", "https://metrics.example"),
        ("127.0.0.1:10077", "https://metrics.example"),
    ],
)
def test_the_own_origin_and_an_allowed_one_pass(host: str, origin: str) -> None:
    assert (
        guard("127.0.0.1", "127.0.0.1", "metrics.example").refusal({"host": host, "origin": origin}) is None
    )


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "http://127.0.0.1:8080", "http://localhost:10077", "null", "", "file://",
        "http://127.0.0.1:10077/x", "http://127.0.0.1:10077@evil.example", "chrome-extension://abcdef",
    ],
)  # fmt: skip
def test_a_foreign_origin_is_refused_even_with_our_host(origin: str) -> None:
    assert guard().refusal({"host": "127.0.0.1:10077", "origin": origin}) is not None


def test_an_origin_without_a_host_is_refused() -> None:
    assert guard().refusal({"origin": "http://127.0.0.1:10077"}) is not None
