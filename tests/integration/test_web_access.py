"""TLS, users, client certificates and reloads of `--web.config.file`, by the real server and real clients."""

import http.client
import os
import shutil
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.wait import wait_for
from tests.support.web.certificates import HASH, PASSWORD, Authority
from tests.support.web.http import Answer, FakeFeed, request, serving
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import ConfigError, UsageError
from tmux_exporter.config import WebSettings
from tmux_exporter.sources.own.running_exporter import RunningExporter
from tmux_exporter.web.access import gate
from tmux_exporter.web.server import WebServer

BASIC = {"Authorization": "Basic " + b64encode(f"prom:{PASSWORD}".encode()).decode()}
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"
USERS = f"basic_auth_users: {{prom: {HASH}}}\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.sign("server", "DNS:localhost,IP:127.0.0.1")
    made.sign("client", "DNS:prometheus")
    made.sign("other", "DNS:grafana")
    made.sign("expired", "DNS:prometheus", days=0)
    return made


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.0)


@contextmanager
def guarded(folder: Path, text: str, **settings: object) -> Iterator[WebServer]:
    """The server under such a web configuration, written into the folder."""
    path = folder / "web.yml"
    path.write_text(text)
    feed = FakeFeed()
    feed.publish()
    made = WebSettings(listen_address="127.0.0.1:0", config_file=str(path), **settings)  # type: ignore[arg-type]
    with serving(feed, made) as server:
        yield server


def put(path: Path, text: bytes) -> None:
    """Write a file as a renewal does: at once."""
    new = path.with_suffix(".new")
    new.write_bytes(text)
    new.rename(path)


def tls(authority: Authority, client: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.cert))
    if client:
        context.load_cert_chain(authority.folder / f"{client}.pem", authority.folder / f"{client}.key")
    return context


def get(port: int, context: ssl.SSLContext, headers: dict[str, str] | None = None) -> Answer:
    with closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)) as connection:
        connection.request("GET", "/metrics", headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())


def test_a_minimum_of_tls_1_3_refuses_1_2_and_a_suite_not_named_is_refused(authority: Authority) -> None:
    older = tls(authority)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with guarded(authority.folder, f"{TLS}, min_version: TLS13}}") as server:
        assert get(server.port, tls(authority)).status == 200
        with pytest.raises(ssl.SSLError):
            get(server.port, older)
    suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    with guarded(authority.folder, f"{TLS}, max_version: TLS12, cipher_suites: [{suite}]}}") as server:
        assert get(server.port, older).status == 200
        older.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError):
            get(server.port, older)


def test_a_client_needs_a_certificate_of_the_authority_with_an_allowed_name_that_has_not_expired(
    tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path, "stranger")
    stranger.sign("client", "DNS:prometheus")
    asked = "client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert"
    with guarded(authority.folder, f"{TLS}, {asked}, client_allowed_sans: [prometheus]}}") as server:
        assert get(server.port, tls(authority, "client")).status == 200
        theirs = tls(authority)
        theirs.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        for refused in (tls(authority), tls(authority, "other"), tls(authority, "expired"), theirs):
            with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                get(server.port, refused)
        with closing(
            http.client.HTTPSConnection("127.0.0.1", server.port, context=tls(authority, "client"))
        ) as c:
            c.request("POST", "/-/reload")
            assert c.getresponse().status == 200


def test_a_renewed_certificate_is_served_and_no_request_fails_meanwhile(
    tmp_path: Path, authority: Authority
) -> None:
    for name in ("server.pem", "server.key"):
        shutil.copy(authority.folder / name, tmp_path)
    renewed = authority.sign("renewed", "DNS:localhost,IP:127.0.0.1")
    failures: list[object] = []
    counted = [0]
    stop = threading.Event()
    context = tls(authority)

    def scrape(port: int) -> None:
        kept = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        with closing(kept):
            while not stop.is_set():
                try:
                    kept.request("GET", "/metrics", headers=BASIC)
                    statuses = {kept.getresponse().read() != b"", get(port, context, BASIC).status == 200}
                except (OSError, http.client.HTTPException) as error:
                    failures.append(error)
                    return
                counted[0] += 1
                if statuses != {True}:
                    failures.append(statuses)

    with guarded(tmp_path, f"{TLS}}}\n{USERS}") as server:
        scraper = threading.Thread(target=scrape, args=(server.port,))
        scraper.start()

        def serial() -> object:
            with context.wrap_socket(
                socket.create_connection(("127.0.0.1", server.port)), server_hostname="localhost"
            ) as connection:
                return (connection.getpeercert() or {})["serialNumber"]

        before = serial()
        wait_for(lambda: counted[0] > 3, "it is scraped")
        # For a moment the key is another certificate's.
        put(tmp_path / "server.pem", renewed.cert.read_bytes())
        assert serial() == before
        put(tmp_path / "server.key", renewed.key.read_bytes())
        assert serial() != before
        seen = counted[0]
        wait_for(lambda: counted[0] > seen + 3 or failures, "it is scraped again")
        stop.set()
        scraper.join()
    assert failures == []


def test_who_loses_the_password_or_the_trust_gets_nothing_more_on_an_open_connection(
    tmp_path: Path, authority: Authority
) -> None:
    for name in ("server.pem", "server.key", "ca.pem"):
        shutil.copy(authority.folder / name, tmp_path)
    with guarded(tmp_path, f"{TLS}}}\n{USERS}") as server:
        context = tls(authority)
        with closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context)) as kept:
            kept.request("GET", "/metrics", headers=BASIC)
            answer = kept.getresponse()
            assert (answer.status, answer.read() != b"") == (200, True)
            put(tmp_path / "web.yml", f"{TLS}}}\nbasic_auth_users: {{other: {HASH}}}\n".encode())
            kept.request("GET", "/metrics", headers=BASIC)
            refused = kept.getresponse()
            assert (refused.status, b"tmux_up" in refused.read()) == (401, False)
        with closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context)) as kept:
            put(tmp_path / "web.yml", f"{TLS}}}\n".encode())
            kept.request("GET", "/metrics")
            assert kept.getresponse().read() != b""
            asked = f"{TLS}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}}\n"
            put(tmp_path / "web.yml", asked.encode())
            with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
                kept.request("GET", "/metrics")
                kept.getresponse()


def test_a_wrong_file_leaves_the_one_before_in_force(tmp_path: Path) -> None:
    with guarded(tmp_path, USERS) as server:
        assert request(server.port, headers=BASIC).status == 200
        put(tmp_path / "web.yml", b"basic_auth_users: {prom: plain}\n")
        assert request(server.port, headers=BASIC).status == 200
        assert request(server.port).status == 401


def test_ten_wrong_passwords_and_more_are_not_checked_while_the_scraper_goes_on(tmp_path: Path) -> None:
    with guarded(tmp_path, USERS) as server:
        assert request(server.port, headers=BASIC).status == 200
        statuses = []
        for number in range(13):
            guess = b64encode(f"prom:guess{number}".encode()).decode()
            statuses.append(request(server.port, headers={"Authorization": f"Basic {guess}"}).status)
        assert statuses[:10] == [401] * 10
        assert 429 in statuses[10:]
        assert request(server.port, headers=BASIC).status == 200


def test_requests_beyond_the_rate_limit_of_the_file_are_refused(tmp_path: Path) -> None:
    with guarded(tmp_path, "rate_limit: {interval: 1h, burst: 2}\n") as server:
        assert [request(server.port).status for _ in range(3)] == [200, 200, 429]


def test_the_unix_socket_is_for_its_user_without_a_password_and_commands_find_it(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with guarded(tmp_path, USERS, also_listen=(f"unix:{path}",)) as server:
        assert server.bound_urls[1] == f"unix:{path}"
        assert path.stat().st_mode & 0o777 == 0o600
        local = WebSettings(also_listen=(f"unix:{path}",)).local_address
        answer = RunningExporter(local, uid=os.getuid(), clock=SystemClock()).ask()
        assert (answer.failure, answer.document is not None) == ("", True)
        by_port = RunningExporter(f"127.0.0.1:{server.port}", uid=os.getuid(), clock=SystemClock()).ask()
        assert by_port.failure.startswith("wants a password")
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.connect(str(path))
            connection.sendall(b"POST /-/reload HTTP/1.0\r\n\r\n")
            assert b"configuration applied" in connection.makefile("rb").read()
    assert not path.exists()


def test_several_addresses_are_all_served_and_all_named(tmp_path: Path) -> None:
    feed = FakeFeed()
    feed.publish()
    settings = WebSettings(listen_address="127.0.0.1:0", also_listen=("[::1]:0", "0.0.0.0:0"))
    with serving(feed, settings) as server:
        urls = server.bound_urls
        assert [url.rpartition(":")[0] for url in urls] == [
            "http://127.0.0.1",
            "http://[::1]",
            "http://0.0.0.0",
        ]
        ports = [int(url.rpartition(":")[2].strip("/")) for url in urls]
        for port, address in zip(ports, ("127.0.0.1", "::1", "127.0.0.1"), strict=True):
            assert request(port, address=address).status == 200
        [warning] = server.exposures
        assert warning.startswith(f"anyone who reaches {urls[2]} can read it without password or encryption")


def test_a_start_that_fails_leaves_no_socket_and_touches_no_file(tmp_path: Path) -> None:
    mine, socket_path, wrong = tmp_path / "notes", tmp_path / "web.sock", tmp_path / "wrong.yml"
    mine.write_text("mine")
    wrong.write_text("basic_auth: {}\n")
    for settings in (
        WebSettings(listen_address=f"unix:{socket_path}", also_listen=(f"unix:{mine}",)),
        WebSettings(listen_address=f"unix:{socket_path}", config_file=str(wrong)),
    ):
        with pytest.raises((UsageError, ConfigError)):
            WebServer(settings, FakeFeed(), clock=SystemClock(), who_listens=lambda _: None)
        assert (mine.read_text(), socket_path.exists()) == ("mine", False)


def test_require_auth_refuses_to_listen_beyond_loopback_without_users(tmp_path: Path) -> None:
    feed = FakeFeed()
    bare = WebSettings(listen_address="0.0.0.0:0", require_auth=True)
    with pytest.raises(UsageError, match="beyond loopback"):
        WebServer(bare, feed, clock=SystemClock(), who_listens=lambda _: None)
    with guarded(tmp_path, USERS, require_auth=True, also_listen=("0.0.0.0:0",)) as server:
        assert server.exposures == (
            "passwords cross the network unencrypted: add tls_server_config to --web.config.file",
        )
        # It is set only later, where nobody has to log in.
        open_to_all = replace(bare, require_auth=False)
        with serving(feed, open_to_all) as later, pytest.raises(ConfigError, match="beyond loopback"):
            later.configure(bare)
        # The last user goes: that is refused, and the user stays.
        put(tmp_path / "web.yml", b"{}\n")
        assert request(server.port).status == 401
        assert request(server.port, headers=BASIC).status == 200
