"""top in a real terminal, a pane of tmux: what it shows, its keys, and how it leaves the terminal behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import libtmux
import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import server_pid
from tests.support.wait import wait_for
from tmux_exporter.facts.attach import AttachPoint

MANY = 30.0
# Tests run beside others, whose servers it sees too.
LEAD = f"lead-{os.getpid()}"
Start = Callable[..., "Top"]


class Top:
    """One `tmux-exporter top` in a pane; when it ends, the pane shows how and what the terminal is like."""

    def __init__(
        self, server: libtmux.Server, base: Path, arguments: str, size: tuple[int, int], then: str
    ) -> None:
        self._server = server
        home = f"XDG_RUNTIME_DIR={base} XDG_STATE_HOME={base}"
        script = base / "top.sh"
        script.write_text(
            f"B={base}\nset -m\nstty -g >{base}/before\n"
            f"env -u TMUX -u TMUX_PANE TMUX_TMPDIR={os.environ['TMUX_TMPDIR']} {home} LC_ALL=C.UTF-8 "
            f"{sys.executable} -m tmux_exporter top {arguments}\n{then}\n"
            f"echo $? >{base}/status\nstty -g >{base}/new; mv {base}/new {base}/after\nexec sleep 3000\n"
        )
        self._base = base
        columns, lines = size
        command = ["new-session", "-d", "-P", "-F", "#{pane_id}", "-s", "view", "-x", str(columns)]
        self.pane = server.cmd(*command, "-y", str(lines), f"bash {script}").stdout[0]

    def lines(self) -> list[str]:
        return self._server.cmd("capture-pane", "-p", "-t", self.pane).stdout

    def shows(self, *words: str) -> str:
        """Wait for a line with all these words."""

        def found() -> str | None:
            return next((line for line in self.lines() if all(word in line for word in words)), None)

        try:
            return wait_for(found, f"it shows {words}", MANY)
        except AssertionError:
            raise AssertionError("\n".join([f"no line with {words}:", *self.lines()])) from None

    def press(self, *keys: str) -> None:
        self._server.cmd("send-keys", "-t", self.pane, *keys)

    def click(self, words: str) -> None:
        """On the line that has these words, as a terminal tells it (SGR)."""
        line = next(number for number, each in enumerate(self.lines(), 1) if words in each)
        told = f"\x1b[<0;5;{line}M\x1b[<0;5;{line}m".encode().hex(" ").split()
        self._server.cmd("send-keys", "-t", self.pane, "-H", *told)

    def resize(self, columns: int, lines: int) -> None:
        self._server.cmd("resize-window", "-t", self.pane, "-x", str(columns), "-y", str(lines))

    def set_clipboard_on(self) -> None:
        self._server.cmd("set-option", "-s", "set-clipboard", "on")

    def clipboard(self) -> str:
        return wait_for(lambda: "".join(self._server.cmd("show-buffer").stdout), "it has copied", MANY)

    def pid(self) -> int:
        shell = self._server.cmd("display-message", "-p", "-t", self.pane, "#{pane_pid}").stdout[0]
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def status(self) -> int:
        """How it ended; the terminal is then as it was before."""
        after, before = self._base / "after", self._base / "before"
        wait_for(after.exists, "it ends", MANY)
        assert after.read_text() == before.read_text()
        flags = self._server.cmd("display-message", "-p", "-t", self.pane, "#{alternate_on} #{cursor_flag}")
        assert flags.stdout == ["0 1"]
        return int((self._base / "status").read_text())


@pytest.fixture
def server(tmux_server: StartTmux) -> libtmux.Server:
    """A server with an agent in its session `main`."""
    started = tmux_server("fleet")
    started.cmd("set-option", "-p", "-t", "main:0.0", "@agent", LEAD)
    return started


@pytest.fixture
def top(socket_dir: Path, tmux_server: StartTmux) -> Iterator[Start]:
    viewer = tmux_server("viewer")
    numbers = iter(range(9))

    def start(arguments: str = "", size: tuple[int, int] = (80, 24), then: str = "") -> Top:
        base = socket_dir.parent / f"top{next(numbers)}"
        base.mkdir(mode=0o700)
        return Top(viewer, base, f"--sampling.interval 1s {arguments}", size, then)

    yield start


def test_it_shows_the_fleet_and_q_ends_it(server: libtmux.Server, top: Start) -> None:
    view = top(f"--filter {LEAD}")
    assert len(view.shows(f"  {LEAD} other", "%")) <= 80
    view.shows("SESSION / AGENT", "STATE▾", "NEXT")
    view.press("q")
    assert view.status() == 0


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)]
)
def test_a_signal_ends_it_with_the_terminal_as_it_was(
    server: libtmux.Server, top: Start, number: signal.Signals, status: int
) -> None:
    view = top(f"--filter {LEAD}")
    view.shows(f"  {LEAD} other")
    if number is signal.SIGINT:
        view.press("C-c")
    else:
        os.kill(view.pid(), number)
    assert view.status() == status


def test_keys_sort_filter_and_clear(server: libtmux.Server, top: Start) -> None:
    view = top(f"--filter {LEAD}")
    view.shows(f"  {LEAD} other")
    view.press("m")
    view.shows("MEM▾")
    view.press("/")
    view.press("C-u")
    view.press("-l", "no-such-thing q")
    view.shows("filter: no-such-thing q")
    view.shows("nothing fits the filter")
    view.press("C-u")
    view.press("-l", LEAD)
    view.press("Enter")
    view.shows(f"filter: {LEAD}", "Esc clears")
    view.shows(f"  {LEAD} other")
    view.press("Escape")
    wait_for(lambda: not any("filter:" in line for line in view.lines()), "it is cleared", MANY)
    view.press("q")
    assert view.status() == 0


def test_it_fits_a_window_that_grows(server: libtmux.Server, top: Start) -> None:
    view = top(f"--filter {LEAD}")
    view.shows("SESSION / AGENT", "SINCE")
    view.resize(150, 30)
    view.shows("SESSION / AGENT", "PROGRAM", "PANE")
    view.press("q")
    assert view.status() == 0


def test_a_hung_server_does_not_hang_the_keys(server: libtmux.Server, top: Start) -> None:
    view = top(f"--filter {LEAD}")
    view.shows(f"  {LEAD} other")
    pid = server_pid(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        view.press("c")
        view.shows("CPU▾")
        view.press("q")
        assert view.status() == 0
    finally:
        os.kill(pid, signal.SIGCONT)


def test_it_stops_and_goes_on_as_any_program_does(server: libtmux.Server, top: Start) -> None:
    view = top(f"--filter {LEAD}", then="echo stopped; read line; fg")
    view.shows(f"  {LEAD} other")
    view.press("C-z")
    view.shows("stopped")
    assert not any("SESSION / AGENT" in line for line in view.lines())
    view.press("Enter")
    view.shows("SESSION / AGENT")
    view.press("q")
    assert view.status() == 0


def run(base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(base), "XDG_STATE_HOME": str(base), "COLUMNS": "80"}
    command = [sys.executable, "-m", "tmux_exporter", "top", "--sampling.interval", "1s", *arguments]
    return run_text(command, env=environ, timeout=100)


def test_once_and_json_have_rates(server: libtmux.Server, tmp_path: Path) -> None:
    for arguments in (("--once",), ()):
        done = run(tmp_path, "--filter", LEAD, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert max(map(len, done.stdout.splitlines())) <= 80
        (row,) = [line for line in done.stdout.splitlines() if line.startswith(f"  {LEAD}")]
        assert "%" in row and "\x1b" not in done.stdout
    (session,) = json.loads(run(tmp_path, "--json", "--filter", LEAD).stdout)["sessions"]
    assert session["agents"][0]["agent"] == LEAD
    assert session["agents"][0]["cost"]["cpu_cores"] >= 0.0


def test_once_has_rates_from_an_exporter_whose_next_sample_is_far_away(
    server: libtmux.Server, start_exporter: StartExporter, tmp_path: Path
) -> None:
    exporter = start_exporter("--sampling.interval", "5m")
    file = tmp_path / "c.yml"
    address = exporter.url.removeprefix("http://").rstrip("/")
    file.write_text(f"web:\n  listen_address: {address}\n", encoding="utf-8")
    done = run(tmp_path, "--once", "--filter", LEAD, "--config", str(file))
    assert f"exporter at {address}" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith(f"  {LEAD}")]
    assert "%" in row


def test_it_shows_what_a_running_exporter_reports(
    server: libtmux.Server, start_exporter: StartExporter, top: Start, tmp_path: Path
) -> None:
    exporter = start_exporter()
    file = tmp_path / "c.yml"
    address = exporter.url.removeprefix("http://").rstrip("/")
    file.write_text(f"web:\n  listen_address: {address}\n", encoding="utf-8")
    view = top(f"--config {file} --filter {LEAD}", (140, 24))
    view.shows(f"exporter at {address}")
    view.shows(LEAD, "%")
    exporter.end()
    view.shows("own samples every 1 s")
    view.shows(LEAD, "%")


def test_it_attaches_to_the_chosen_agent_and_comes_back(server: libtmux.Server, top: Start) -> None:
    server.cmd("new-window", "-d", "-t", "main", "sleep 3000")
    server.cmd("select-window", "-t", "main:1")
    view = top(f"--filter {LEAD}")
    view.shows(f"  {LEAD} other")
    view.press("a")
    view.shows("choose an agent first")
    view.press("Down", "Down", "a")
    shown = "#{session_name}:#{window_index}.#{pane_index}"
    wait_for(lambda: server.cmd("list-clients", "-F", shown).stdout == ["main:0.0"], "it is attached", MANY)
    server.cmd("detach-client", "-s", "main")
    view.shows(f"  {LEAD} other")
    view.set_clipboard_on()
    view.press("y")
    view.shows("tmux -S ", " attach -t '$")
    point = AttachPoint.of_command(view.clipboard())
    assert point is not None
    assert (point.window, point.pane) == ("@0", "%0")
    view.press("?")
    view.shows("attach this terminal to its agent")
    view.press("x", "q")
    assert view.status() == 0


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (140, 40), (250, 50)])
def test_every_view_at_every_size_and_what_is_opened(
    server: libtmux.Server, top: Start, size: tuple[int, int]
) -> None:
    view = top(f"--filter {LEAD}", size)
    view.shows(f"  {LEAD}"[:14])
    view.press("1")
    view.shows("AGENT", "STATE▾")
    view.shows(LEAD[:12], "%" if size[0] > 40 else "")
    for _ in range(2):
        view.click(LEAD[:12])
    view.shows("main", LEAD[:8])
    view.press("End")
    view.shows("sleep" if size[1] > 20 else LEAD[:4])
    view.press("Escape", "3")
    view.shows("TARGET", "DUE")
    for key, title in (("4", "KIND"), ("5", "OPERATION"), ("6", "POLICY"), ("7", "SERVER")):
        view.press(key)
        view.shows(title)
        assert max(map(len, view.lines())) <= size[0]
    # At once: what follows the key of a view is meant for its rows.
    view.press("1", "Down", "Enter")
    view.shows("state_source")
    view.press("q")
    assert view.status() == 0
