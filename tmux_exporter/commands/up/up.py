"""`up`: exporter, remediator, Prometheus and Alertmanager in one process tree that ends as a whole."""

import fcntl
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from tmux_exporter import __version__
from tmux_exporter.alerting.base.scope import RUNBOOKS
from tmux_exporter.alerting.routes import Data
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import ALERTMANAGER_URL, private_folder, runtime_path, state_path
from tmux_exporter.commands.demo import launch
from tmux_exporter.commands.serve import Service
from tmux_exporter.commands.up_children import notify, prometheus, remediator
from tmux_exporter.config import Config
from tmux_exporter.config.parsers import UNIX
from tmux_exporter.facts.report import Report
from tmux_exporter.sources.host.port_owner import who_listens

_READY_SECONDS = 30.0
_POLL_SECONDS = 0.2


def up(
    config: Config,
    load: Callable[[], Config],
    environ: Mapping[str, str],
    say: Callable[[str], None],
    *,
    config_path: str | None = None,
    with_demo: bool = False,
    with_servers: bool = True,
    notify_urls: Sequence[str] = (),
    public_url: str = "",
) -> None:
    """Run exporter, page, an observing remediator, and Prometheus and Alertmanager where they are installed.

    Until a signal. `config_path` is the file that `load` reads. `with_demo` adds a demo fleet, alerts that
    take seconds instead of minutes, and data that go with it. Without `with_servers` Prometheus and
    Alertmanager are left out, installed or not. What pages is sent to `notify_urls`, with links to
    `public_url`, where a phone reaches the exporter.
    """
    refuse_sudo(environ)
    if notify_urls and not (with_servers and find_alertmanager() and prometheus.find_program("prometheus")):
        raise UsageError(
            "--notify needs Prometheus and Alertmanager; install them, and leave out --no-servers"
        )
    if config.web.config_file or config.web.systemd_socket or config.web.listen_address.startswith(UNIX):
        raise UsageError(
            "up is for looking, and its Prometheus scrapes by plain HTTP: use tmux-exporter serve"
        )
    folder = private_folder(state_path(environ), os.getuid())
    with (folder / "up.lock").open("a+", encoding="utf-8") as lock:
        _take(lock)
        if notify_urls:
            notify.check(folder, notify_urls, environ)
        service = Service(config, load, environ)
        demo = launch.Demo(folder, environ) if with_demo else None
        stage = _Stage(
            service=service,
            demo=demo,
            with_servers=with_servers,
            notify_urls=notify_urls,
            public_url=public_url,
            alertmanager_file=folder / ALERTMANAGER_URL,
            say=say,
        )
        try:
            # Before any thread runs: a fork that is to run Python code must not happen beside threads.
            stage.start(config, folder, config_path, environ)
            lock.write(f"{service.web.url} (pid {os.getpid()})\n")
            lock.flush()
            stage.welcome()
            service.run(stage.watch)
        finally:
            stage.stop()
            remediator.forget(runtime_path(environ, os.getuid()))
            lock.truncate(0)


def refuse_sudo(environ: Mapping[str, str]) -> None:
    """Refuse sudo: the tmux servers on show would be root's. A root login shows its own, as it should."""
    if os.geteuid() == 0 and environ.get("SUDO_UID", "0") != "0":
        raise UsageError("run this without sudo: as root it would show root's tmux servers, not yours")


def find_alertmanager() -> str | None:
    """Path of the program, which Debian calls otherwise."""
    return prometheus.find_program("prometheus-alertmanager") or prometheus.find_program("alertmanager")


def _take(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        where = lock.read().strip() or "starting now"
        raise UsageError(f"already up: {where}; open that page, or end it first") from None
    lock.truncate(0)


@dataclass(slots=True, kw_only=True)
class _Stage:
    """The children of one `up`, and the messages for the user."""

    service: Service
    demo: launch.Demo | None
    with_servers: bool
    notify_urls: Sequence[str]
    public_url: str
    alertmanager_file: Path
    say: Callable[[str], None]
    folder: Path = Path()
    environ: Mapping[str, str] = field(default_factory=dict)
    children: list[prometheus.Child] = field(default_factory=list)

    def start(
        self, config: Config, folder: Path, config_path: str | None, environ: Mapping[str, str]
    ) -> None:
        """Start everything beside the exporter; data and logs go into `folder`, the demo's below it."""
        self.folder, time_scale = folder, 1.0
        flags: tuple[str, ...] = ()
        if self.demo is not None:
            self.children.append(self.demo.start())
            self.folder, time_scale = self.demo.folder, launch.TIME_SCALE
            # A remediator of the demo keeps its record among the demo's data.
            environ = {**environ, "XDG_STATE_HOME": str(self.folder)}
            flags = launch.REMEDIATOR_FLAGS
        interval = config.sampling.interval
        self.children.append(remediator.start(self.folder, interval, config_path, environ, flags))
        if self.with_servers:
            self.environ = environ
            self._start_servers(interval, time_scale)

    def _start_servers(self, interval: float, time_scale: float) -> None:
        receivers: Mapping[str, Data] = {}
        if self.notify_urls:
            child, receivers = notify.start(self.folder, self.notify_urls, self.public_url, self.environ)
            self.children.append(child)
        rules, routes = prometheus.write_alerts(
            self.folder,
            time_scale,
            launch.numbers() if self.demo else None,
            runbooks=f"{self.public_url}/runbooks" if self.public_url else RUNBOOKS,
            receivers=receivers,
        )
        target = None
        if alertmanager := find_alertmanager():
            self.children.append(prometheus.start_alertmanager(alertmanager, self.folder, routes))
            target = self.children[-1].url.removeprefix("http://")
            self.alertmanager_file.write_text(f"{self.children[-1].url}\n", encoding="utf-8")
        if program := prometheus.find_program("prometheus"):
            exporter = self.service.web.url.removeprefix("http://").rstrip("/")
            configuration = (
                launch.prometheus_config(exporter, target, (rules,))
                if self.demo
                else prometheus.prometheus_config(exporter, target, interval, (rules,))
            )
            self.children.append(prometheus.start_prometheus(program, self.folder, configuration))
            self.service.web.ask_prometheus(self.children[-1].url)

    def stop(self) -> None:
        """End everything that was started, and the demo's data."""
        prometheus.stop(self.children)
        self.alertmanager_file.unlink(missing_ok=True)
        if self.demo is not None:
            self.demo.remove_data()

    def welcome(self) -> None:
        """Say where to look."""
        url = self.service.web.url
        urls = {child.name: child.url for child in reversed(self.children) if child.url}
        rows = [("live page", url), ("metrics", f"{url}metrics"), *urls.items()]
        rows += self.demo.rows() if self.demo else ()
        rows += [
            *((("notifies", notify.described(self.notify_urls)),) if self.notify_urls else ()),
            ("remediator", "observes, and tells here what it would do"),
            ("data and logs", str(self.folder)),
        ]
        self.say(f"tmux-exporter {__version__}\n")
        for name, value in rows:
            self.say(f"  {name:<14} {value}")
        if self.demo is not None:
            self.say(f"\n{self.demo.introduction(urls)}")
        if missing := {"Prometheus", "Alertmanager"} - urls.keys():
            why = "Not installed here, and" if self.with_servers else "Left out (--no-servers), and"
            self.say(f"\n  {why} not needed for the page: {', '.join(sorted(missing))}.")
        for child in self.children:
            taken = child.preferred_port
            if child.url and not child.url.endswith(f":{taken}") and (holder := who_listens(taken)):
                self.say(f"\n  {child.name} has another port than {taken}: that is in use by {holder}.")
        if exposures := self.service.web.exposures:
            self.say(f"\n  The exporter: {'; '.join(exposures)}. All of it ends with Ctrl-C.\n")
        else:
            self.say("\n  All of it listens on this machine only, and ends with Ctrl-C.\n")

    def watch(self) -> None:
        """Tell what is seen, and of each child when it is ready or has ended, without holding anything up."""
        self._in_thread("up-sample", self._tell_first_sample)
        for child in self.children:
            follow = remediator.follow if child.name == remediator.NAME else _follow
            self._in_thread(f"up-{child.name}", partial(follow, child, self.say))
        if self.demo is not None:
            self._in_thread("up-demo", partial(self.demo.tell, self.children, self.say))

    def _in_thread(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    def _tell_first_sample(self) -> None:
        fresh = self.service.publisher.fresh
        if published := self.demo.wait_until_seen(fresh) if self.demo else fresh():
            self.say(f"  {summary(published.report)}")


def summary(report: Report) -> str:
    """One sample in one line."""
    counts = (
        (len(report.servers), "tmux server"),
        (len(report.sessions), "session"),
        (len(report.panes), "pane"),
        (sum(agent.up for agent in report.agents), "agent"),
        (len(report.schedulers), "pending scheduler"),
    )
    if not report.servers:
        return "No tmux server of yours runs yet: start one with `tmux new -s work`, it will show up."
    return (
        "Seen: " + ", ".join(f"{count} {thing}{'' if count == 1 else 's'}" for count, thing in counts) + "."
    )


def _follow(child: prometheus.Child, say: Callable[[str], None]) -> None:
    waited = threading.Event()
    for _ in range(round(_READY_SECONDS / _POLL_SECONDS) if child.url else 0):
        if child.process.poll() is not None:
            break
        if prometheus.fetch(f"{child.url}/-/ready") is not None:
            say(f"  {child.name} is ready.")
            break
        waited.wait(_POLL_SECONDS)
    status = child.process.wait()
    # Our own stop ends it with SIGTERM; anything else the user wants to know.
    if status not in (0, -15):
        say(f"  {child.name} ended with status {status}: {prometheus.last_words(child)} (log: {child.log})")
