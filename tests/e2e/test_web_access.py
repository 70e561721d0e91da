"""A web configuration in front of those who come: curl, Prometheus, Chromium, and who only half comes."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tests.support.processes.run_text import run_text
from tests.support.scenes.main_job import program
from tests.support.wait import wait_for
from tests.support.web.certificates import HASH, PASSWORD, Authority
from tests.support.web.http import FakeFeed, serving
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.config import WebSettings
from tmux_exporter.web.server import WebServer

pytestmark = pytest.mark.long
MIB = 1 << 20

TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"
USERS = f"basic_auth_users: {{prom: {HASH}}}\n"
CLIENTS = (
    "client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prometheus]"
)


def installed(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing: deploy/setup check"
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.sign("server", "DNS:localhost,IP:127.0.0.1")
    made.sign("client", "DNS:prometheus")
    made.sign("expired", "DNS:prometheus", days=0)
    return made


@contextmanager
def guarded(folder: Path, text: str) -> Iterator[WebServer]:
    path = folder / "web.yml"
    path.write_text(text)
    feed = FakeFeed()
    feed.publish()
    with serving(feed, WebSettings(listen_address="127.0.0.1:0", config_file=str(path))) as server:
        yield server


def test_curl_gets_the_page_with_the_password_by_http_1_and_nothing_without(
    tmp_path: Path, authority: Authority
) -> None:
    text = f"{TLS}}}\n{USERS}http_server_config: {{http2: true, headers: {{X-Frame-Options: sameorigin}}}}\n"
    with guarded(tmp_path, text) as server:
        assert server.bound_urls == (f"https://127.0.0.1:{server.port}/",)

        def curl(*arguments: str) -> tuple[int, str]:
            done = run_text(
                ["curl", "-sS", "-i", "--http2", "--cacert", str(authority.cert), *arguments,
                 f"https://localhost:{server.port}/metrics"]
            )  # fmt: skip
            return done.returncode, done.stdout + done.stderr

        code, page = curl("-u", f"prom:{PASSWORD}")
        assert code == 0
        assert page.startswith("HTTP/1.1 200")
        assert "tmux_up 1" in page
        assert "x-frame-options: sameorigin" in page.lower()
        for wrong in (
            (),
            ("-u", "prom:wrong"),
            ("-u", f"nobody:{PASSWORD}"),
            ("-H", "Authorization: Bearer x"),
        ):
            code, page = curl(*wrong)
            assert page.startswith("HTTP/1.1 401"), wrong
            assert "tmux_up" not in page
        assert curl("--tls-max", "1.1")[0] == 35
        # Plain HTTP to the same port.
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
            plain.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert b"tmux_up" not in plain.makefile("rb").read()


def test_prometheus_scrapes_with_password_and_certificate_through_a_renewal_and_not_otherwise(
    tmp_path: Path, authority: Authority
) -> None:
    right = {
        "scheme": "https",
        "tls_config": {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"},
        "basic_auth": {"username": "prom", "password": PASSWORD},
    }
    expired = {**right["tls_config"], "cert_file": "expired.pem", "key_file": "expired.key"}  # type: ignore[dict-item]
    jobs = {
        "right": right,
        "wrong-password": {**right, "basic_auth": {"username": "prom", "password": "wrong"}},
        "no-password": {key: value for key, value in right.items() if key != "basic_auth"},
        "no-certificate": {**right, "tls_config": {"ca_file": "ca.pem"}},
        "expired": {**right, "tls_config": expired},
        "old-tls": {**right, "tls_config": {**right["tls_config"], "max_version": "TLS11"}},  # type: ignore[dict-item]
        "plain": {"scheme": "http", "basic_auth": right["basic_auth"]},
    }
    with guarded(tmp_path, f"{TLS}, {CLIENTS}}}\n{USERS}") as server:
        target = [{"targets": [f"localhost:{server.port}"]}]
        scrapes = [
            {
                "job_name": name,
                "scrape_interval": "500ms",
                "scrape_timeout": "500ms",
                "static_configs": target,
                **job,
            }
            for name, job in jobs.items()
        ]
        child = prometheus.start_prometheus(
            program("prometheus"), tmp_path, prometheus.as_json({"scrape_configs": scrapes})
        )
        try:
            ask = partial(query, child.url)
            wait_for(lambda: ask("count(up)") == [("", len(jobs))], "all are scraped", 60)
            wait_for(lambda: ask("sum(count_over_time(up{job='right'}[1h])) > 6"), "it goes on", 60)
            renewed = authority.sign("renewed", "DNS:localhost,IP:127.0.0.1")
            shutil.move(renewed.cert, tmp_path / "server.pem")
            shutil.move(renewed.key, tmp_path / "server.key")
            # A kept connection knows nothing of a new certificate: these end, and begin anew.
            (tmp_path / "web.yml").write_text(f"{TLS}, {CLIENTS}, min_version: TLS13}}\n{USERS}")
            before = int(ask("sum(count_over_time(up{job='right'}[1h]))")[0][1])
            wait_for(
                lambda: ask(f"sum(count_over_time(up{{job='right'}}[1h])) > {before + 8}"), "it goes on", 60
            )
            ups = dict(ask("max by (job) (max_over_time(up[1h]))"))
            assert ups == {name: float(name == "right") for name in jobs}
            assert ask("min_over_time(up{job='right'}[1h])") == [("right", 1.0)]
        finally:
            prometheus.stop([child])


def query(url: str, expression: str) -> list[tuple[str, float]]:
    """Job and value of each series."""
    body = prometheus.fetch(f"{url}/api/v1/query?query={quote(expression)}") or b'{"data": {"result": []}}'
    found = json.loads(body)["data"]["result"]
    return [(each["metric"].get("job", ""), float(each["value"][1])) for each in found]


def test_a_browser_shows_the_page_with_the_password_and_nothing_without(
    tmp_path: Path, authority: Authority
) -> None:
    options = ChromeOptions()
    options.binary_location = installed("chromium")
    options.set_capability("acceptInsecureCerts", True)
    for each in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        f"user-data-dir={tmp_path}/b",
    ):
        options.add_argument(f"--{each}")
    with guarded(tmp_path, f"{TLS}}}\n{USERS}") as server:
        driver = Chrome(options=options, service=Service(installed("chromedriver")))
        try:
            try:
                driver.get(f"https://localhost:{server.port}/")
            except WebDriverException as error:
                assert "ERR_" in str(error)
            assert driver.find_elements(By.ID, "first") == []
            driver.get(f"https://prom:{PASSWORD}@localhost:{server.port}/")
            wait_for(lambda: driver.find_element(By.ID, "first").is_displayed(), "the page is drawn", 60)
        finally:
            driver.quit()


def test_systemd_hands_over_the_sockets_and_a_reload_by_http_says_what_is_wrong(
    tmp_path: Path, authority: Authority
) -> None:
    config, web, log = tmp_path / "config.yml", tmp_path / "web.yml", tmp_path / "log"
    config.write_text(f"web: {{config_file: {web}}}\n")
    web.write_text(f"{TLS}}}\n{USERS}")
    here = {name: os.environ[name] for name in ("TMUX_TMPDIR", "XDG_RUNTIME_DIR") if name in os.environ}
    environ = {**here, "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    unix = tmp_path / "web.sock"
    with log.open("wb") as stream:
        waiting = subprocess.Popen(
            [
                *(
                    installed("systemd-socket-activate"),
                    "-l",
                    str(unix),
                    "-l",
                    f"127.0.0.1:{prometheus.free_port(0)}",
                ),
                *(f"--setenv={name}={value}" for name, value in environ.items()),
                *(sys.executable, "-m", "tmux_exporter", "serve", "--config", str(config)),
            ],
            stderr=stream,
        )
    try:
        wait_for(lambda: log.read_text().count("Listening on") == 2, "systemd listens")

        def curl(*arguments: str) -> str:
            done = run_text(["curl", "-sS", "-m", "30", "-w", "%{http_code}", *arguments])
            return done.stdout + done.stderr

        # The first who knocks starts it.
        assert curl("--unix-socket", str(unix), "http://localhost/-/healthy").endswith("200")
        found = wait_for(lambda: re.search(r"https://127\.0\.0\.1:\d+/", log.read_text()), "it listens")
        assert f"listening on unix:{unix}" in log.read_text()
        ours = ("--cacert", str(authority.cert), "-u", f"prom:{PASSWORD}")
        wait_for(lambda: curl(*ours, f"{found[0]}-/ready").endswith("200"), "it has taken a sample", 60)
        assert "tmux_exporter_build_info" in curl(*ours, f"{found[0]}metrics")
        assert curl("--cacert", str(authority.cert), f"{found[0]}metrics").endswith("401")
        reload = ("-X", "POST", f"{found[0]}-/reload")
        assert curl(*ours, *reload).endswith("200")
        web.write_text("basic_auth: {}\n")
        assert "web.yml:1:1: unknown section 'basic_auth'" in (told := curl(*ours, *reload))
        assert told.endswith("500")
        assert curl("--cacert", str(authority.cert), *reload).endswith("401")
        assert curl(*ours, f"{found[0]}metrics").endswith("200")
    finally:
        waiting.terminate()
        waiting.wait(60)
    # It is systemd's.
    assert unix.exists()


@pytest.mark.parametrize("says", [b"", b"\x16\x03\x01\x00\xf0"], ids=["silent", "half-a-hello"])
def test_a_thousand_half_open_handshakes_delay_no_scrape_beyond_a_second_and_take_little_memory(
    tmp_path: Path, authority: Authority, says: bytes
) -> None:
    context = ssl.create_default_context(cafile=str(authority.cert))
    with guarded(tmp_path, f"{TLS}}}\n") as server, ExitStack() as stack:
        slowest = 0.0
        before = psutil.Process().memory_info().rss
        for number in range(1000):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            half.sendall(says)
            if number % 100 == 99:
                began = time.monotonic()
                with (
                    socket.create_connection(("127.0.0.1", server.port), timeout=30) as bare,
                    context.wrap_socket(bare, server_hostname="localhost") as scrape,
                ):
                    scrape.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    assert b"tmux_up 1" in scrape.makefile("rb").read()
                slowest = max(slowest, time.monotonic() - began)
        assert slowest < 1.0
        # 89 MiB with asyncio's own buffers.
        assert psutil.Process().memory_info().rss - before < 40 * MIB
