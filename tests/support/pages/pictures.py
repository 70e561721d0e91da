"""The pictures of the live page and the film of `top` on the README, of a demo that runs for some minutes.

    python -m tests.support.isolation.namespace -m tests.support.pages.pictures docs/images

In namespaces: nothing else of this machine is in them. docs/dashboards.md says how boards are drawn.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.support.pages.film import frames, svg
from tests.support.wait import wait_for
from tests.support.web.browser import start_chrome

URL = "http://127.0.0.1:10077/"
POINTS = 6
"""Of the last hour, a quarter of a minute each: then lines are lines."""
SCHEMES = {"page.png": "light", "page-dark.png": "dark"}


def main(folder: Path) -> None:
    """Run the demo, write the pictures."""
    with tempfile.TemporaryDirectory(prefix="me-") as name:
        home = Path(name)
        (home / "run").mkdir(mode=0o700)
        environ = {
            **os.environ,
            "HOME": name,
            "XDG_STATE_HOME": name,
            "XDG_RUNTIME_DIR": f"{name}/run",
            "TMUX_TMPDIR": name,
        }
        command = [sys.executable, "-m", "tmux_exporter", "up", "--demo"]
        with (home / "log").open("wb") as log:
            up = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            wait_for(_happened, "the demo has its troubles, and a past", 600)
            (folder / "top.svg").write_text(svg(frames(environ)))
            _pictures(start_chrome(home / "browser"), folder)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait()


def _happened() -> bool:
    try:
        report, past = _ask("api/v1/report"), _ask("api/v1/history")
    except OSError:
        return False
    states = {each["state"] for each in (*report["agents"], *report["schedulers"])}
    left = {each["kind"] for each in report["leaks"]}
    return {"waiting", "dangling"} <= states and "dev_server" in left and len(past["timestamps"]) >= POINTS


def _ask(path: str) -> dict[str, list[dict[str, str]]]:
    with urllib.request.urlopen(f"{URL}{path}", timeout=5) as answer:
        found: dict[str, list[dict[str, str]]] = json.load(answer)
        return found


def _pictures(chrome: Chrome, folder: Path) -> None:
    try:
        for name, scheme in SCHEMES.items():
            size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            chrome.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            feature = {"name": "prefers-color-scheme", "value": scheme}
            chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            chrome.get(URL)
            wait_for(lambda: "runbook" in chrome.find_element(By.ID, "needs").text, "alerts are there", 120)
            wait_for(lambda: "%" in _cpu(chrome), "rates are there", 60)
            (folder / name).write_bytes(base64.b64decode(chrome.get_screenshot_as_base64()))
    finally:
        chrome.quit()


def _cpu(chrome: Chrome) -> str:
    return chrome.find_element(By.CSS_SELECTOR, "#agents tbody .of-cpu").text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
