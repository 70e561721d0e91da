"""`up`: everything for a newcomer in one process tree that ends as a whole."""

import fcntl
import os
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from tmux_exporter import __version__, stack
from tmux_exporter.config import Config
from tmux_exporter.errors import UsageError
from tmux_exporter.places import private_folder, state_path
from tmux_exporter.report import Report
from tmux_exporter.service import Service

_READY_SECONDS = 30.0
_POLL_SECONDS = 0.2


def up(
    config: Config, load: Callable[[], Config], environ: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Run exporter and page, and Prometheus and Alertmanager where they are installed, until a signal."""
    refuse_sudo(environ)
    folder = private_folder(state_path(environ), os.getuid())
    with (folder / "up.lock").open("a+", encoding="utf-8") as lock:
        _take(lock)
        service = Service(config, load, environ)
        # Before any thread runs: a fork that is to run Python code must not happen beside threads.
        children = _start_servers(config, service.web.port, folder)
        lock.write(f"{service.web.url} (pid {os.getpid()})\n")
        lock.flush()
        try:
            _welcome(service, children, folder, say)
            service.run(lambda: _watch(service, children, say))
        finally:
            stack.stop(children)
            lock.truncate(0)


def refuse_sudo(environ: Mapping[str, str]) -> None:
    """Refuse sudo: the tmux servers on show would be root's. A root login shows its own, as it should."""
    if os.geteuid() == 0 and environ.get("SUDO_UID", "0") != "0":
        raise UsageError("run this without sudo: as root it would show root's tmux servers, not yours")


def _take(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        where = lock.read().strip() or "starting now"
        raise UsageError(f"already up: {where}; open that page, or end it first") from None
    lock.truncate(0)


def _start_servers(config: Config, port: int, folder: Path) -> list[stack.Child]:
    children = []
    alertmanager = stack.find_program("prometheus-alertmanager") or stack.find_program("alertmanager")
    target = None
    if alertmanager:
        children.append(stack.start_alertmanager(alertmanager, folder))
        target = children[-1].url.removeprefix("http://")
    if prometheus := stack.find_program("prometheus"):
        configuration = stack.prometheus_config(f"127.0.0.1:{port}", target, config.sampling.interval, ())
        children.append(stack.start_prometheus(prometheus, folder, configuration))
    return children


def _welcome(service: Service, children: list[stack.Child], folder: Path, say: Callable[[str], None]) -> None:
    rows = [("live page", service.web.url), ("metrics", f"{service.web.url}metrics")]
    rows += [(child.name, child.url) for child in reversed(children)]
    rows.append(("data and logs", str(folder)))
    say(f"tmux-exporter {__version__}\n")
    for name, value in rows:
        say(f"  {name:<14} {value}")
    missing = {"Prometheus", "Alertmanager"} - {child.name for child in children}
    if missing:
        say(f"\n  Not installed here, and not needed for the page: {', '.join(sorted(missing))}.")
    say("\n  All of it listens on this machine only, and ends with Ctrl-C.\n")


def _watch(service: Service, children: list[stack.Child], say: Callable[[str], None]) -> None:
    """Tell what is seen, and of each server when it is ready or has ended, without holding anything up."""
    threading.Thread(target=_tell_first_sample, args=(service, say), name="up-sample", daemon=True).start()
    for child in children:
        threading.Thread(target=_follow, args=(child, say), name=f"up-{child.name}", daemon=True).start()


def _tell_first_sample(service: Service, say: Callable[[str], None]) -> None:
    if published := service.publisher.fresh():
        say(f"  {summary(published.report)}")


def summary(report: Report) -> str:
    """One sample in one line."""
    counts = (
        (len(report.servers), "tmux server"),
        (len(report.sessions), "session"),
        (len(report.panes), "pane"),
        (len(report.agents), "agent"),
        (len(report.schedulers), "pending scheduler"),
    )
    if not report.servers:
        return "No tmux server of yours runs yet: start one with `tmux new -s work`, it will show up."
    return (
        "Seen: " + ", ".join(f"{count} {thing}{'' if count == 1 else 's'}" for count, thing in counts) + "."
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - an address on loopback that is ours
            return True
    except OSError:
        return False


def _follow(child: stack.Child, say: Callable[[str], None]) -> None:
    waited = threading.Event()
    for _ in range(round(_READY_SECONDS / _POLL_SECONDS)):
        if child.process.poll() is not None:
            break
        if _answers(f"{child.url}/-/ready"):
            say(f"  {child.name} is ready.")
            break
        waited.wait(_POLL_SECONDS)
    status = child.process.wait()
    # Our own stop ends it with SIGTERM; anything else the user wants to know.
    if status not in (0, -15):
        say(f"  {child.name} ended with status {status}: {stack.last_words(child)} (log: {child.log})")
