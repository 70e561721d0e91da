"""Where it listens, and what it says when it cannot."""

import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.web.http import FakeFeed, connect, request, serving
from tmux_exporter.base.errors import UsageError
from tmux_exporter.config import WebSettings
from tmux_exporter.sources.host.port_owner import who_listens
from tmux_exporter.web.listen import open_listener

HOLDER = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0), family=getattr(socket, sys.argv[2]))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(address: str = "127.0.0.1", family: str = "AF_INET") -> Iterator[tuple[int, int]]:
    """Another process that listens: its pid and port."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, address, family],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
        child.communicate()


def refusal(address: str) -> str:
    with pytest.raises(UsageError) as caught:
        open_listener(address, who_listens).close()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_taken_port_is_told_with_its_holder_and_a_free_one() -> None:
    with holder() as (pid, port):
        taken, _, other = refusal(f"127.0.0.1:{port}").partition("; take a free one: --web.listen-address ")
        assert taken.startswith(f"cannot listen on 127.0.0.1:{port}: in use by python")
        assert taken.endswith(f" (pid {pid})")
        open_listener(other, who_listens).close()


def test_a_port_taken_on_all_interfaces_is_taken_on_one() -> None:
    with holder("0.0.0.0") as (pid, port):
        assert f"(pid {pid})" in refusal(f"127.0.0.1:{port}")


def test_a_taken_ipv6_port_is_told_in_brackets() -> None:
    with holder("::1", "AF_INET6") as (pid, port):
        message = refusal(f"[::1]:{port}")
        assert f"cannot listen on [::1]:{port}: in use by" in message
        assert f"(pid {pid})" in message
        assert "--web.listen-address [::1]:" in message


def test_a_port_with_connections_of_a_former_server_can_be_taken_again() -> None:
    first = open_listener("127.0.0.1:0", who_listens)
    port = first.getsockname()[1]
    client = connect(port)
    accepted, _ = first.accept()
    # The side that closes first keeps the port in TIME_WAIT.
    accepted.close()
    client.close()
    first.close()
    open_listener(f"127.0.0.1:{port}", who_listens).close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("192.0.2.1:10077", "Cannot assign requested address"),
        (
            "no-such-host.invalid:10077",
            "give an address of this machine: --web.listen-address 127.0.0.1:10077",
        ),
        (f"{'a' * 64}:10077", "not a host name"),
        ("127.0.0.1", "has no port"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_with_the_mend(address: str, words: str) -> None:
    message = refusal(address)
    assert message.startswith("cannot listen")
    assert words in message


def test_ipv6_is_served_under_its_literal() -> None:
    with serving(FakeFeed(), WebSettings(listen_address="[::1]:0")) as server:
        assert server.url == f"http://[::1]:{server.port}/"
        assert request(server.port, "/-/healthy", address="::1").status == 200


def test_all_interfaces_serve_both_families_and_this_machines_name() -> None:
    with serving(FakeFeed(), WebSettings(listen_address="[::]:0")) as server:
        assert server.url == f"http://[::1]:{server.port}/"
        assert request(server.port, "/-/healthy", address="::1").status == 200
        for host in ("127.0.0.1", "192.0.2.9:10077", socket.gethostname()):
            assert request(server.port, "/-/healthy", headers={"Host": host}).status == 200, host
        assert request(server.port, "/-/healthy", headers={"Host": "evil.example"}).status == 403


def test_a_port_alone_is_on_every_address_and_said_to_be() -> None:
    with serving(FakeFeed(), WebSettings(listen_address=":0")) as server:
        for address in ("127.0.0.1", "::1"):
            assert request(server.port, "/-/healthy", address=address).status == 200
        assert server.bound_urls == (f"http://[::]:{server.port}/",)
        [warning] = server.exposures
        assert warning.startswith(f"anyone who reaches http://[::]:{server.port}/ can read it without")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_what_only_this_machine_reaches_is_no_exposure(host: str) -> None:
    with serving(FakeFeed(), WebSettings(listen_address=f"{host}:0")) as server:
        assert (server.exposures, server.bound_urls) == ((), (server.url,))


def test_localhost_is_the_ipv4_one() -> None:
    with serving(FakeFeed(), WebSettings(listen_address="localhost:0")) as server:
        assert server.url == f"http://localhost:{server.port}/"
        assert request(server.port, "/-/healthy").status == 200


def test_nobody_listens_on_a_port_that_was_given_back() -> None:
    with holder() as (_, port):
        assert who_listens(port) is not None
    assert who_listens(port) is None


def test_a_port_that_two_hold_names_both() -> None:
    with holder() as (pid, port):
        with socket.create_server(("::1", port), family=socket.AF_INET6):
            said = who_listens(port)
        assert said is not None
        assert f"(pid {pid})" in said
        assert f"(pid {os.getpid()})" in said


def test_a_holder_whose_files_cannot_be_read_is_named_by_its_user(tmp_path: Path) -> None:
    """A /proc in which the listener is visible and its process is not."""
    with holder() as (_, port):
        (tmp_path / "net").mkdir()
        for table in ("tcp", "tcp6"):
            (tmp_path / "net" / table).symlink_to(f"/proc/self/net/{table}")
        assert who_listens(port, str(tmp_path)) == f"a process of user {getpass.getuser()}"
