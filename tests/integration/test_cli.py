"""The command as a user runs it: bad input is one clear line with the mend, and the right exit code."""

import itertools
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process, server_pid
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for
from tests.support.web import exposition
from tmux_exporter.cli.exporter import cli

Run = Callable[..., subprocess.CompletedProcess[str]]

ASKING = ("explain", "leaks", "schedulers", "top")
"""Commands that ask a running exporter."""


@pytest.fixture
def run(socket_dir: Path, tmp_path: Path) -> Run:
    """Run `tmux-exporter ARGUMENTS`; tmux is looked for only in the test's own socket folder."""

    quiet = tmp_path / "quiet.yml"
    # An exporter of whoever runs the tests is not asked: nobody listens on port 1.
    quiet.write_text("web:\n  listen_address: 127.0.0.1:1\n", encoding="utf-8")

    def run_command(
        *arguments: str,
        environ: Mapping[str, str] = {},
        stdout: int | IO[bytes] = subprocess.PIPE,
        encoding: str = "utf-8",
        program: str = "tmux_exporter",
    ) -> subprocess.CompletedProcess[str]:
        if arguments[0] in ASKING and not {"--config", "--config.file", "--help"} & set(arguments):
            arguments = (*arguments, "--config", str(quiet))
        return subprocess.run(
            [sys.executable, "-m", program, *arguments],
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), **environ},
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding=encoding,
            timeout=100,
            check=False,
        )

    return run_command


def refused(result: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line with which a command refuses."""
    assert (result.returncode, result.stdout) == (status, ""), result
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_every_command_has_help_with_an_example(run: Run) -> None:
    listing = run("--help").stdout.partition("\nStart:\n")[2]
    commands = re.findall(r"^  ([a-z-]+) {2,}[A-Z]", listing, re.MULTILINE)
    assert sorted(commands) == sorted(cli.commands)
    for command in commands:
        assert "Example:" in run(command, "--help").stdout, command
    assert all(len(line) <= 80 for line in listing.splitlines())
    assert "..." not in listing, "a short help that does not fit"


def test_a_wrong_command_or_flag_is_wrong_use(run: Run) -> None:
    assert run("servee").returncode == 2
    assert run("once", "--format", "yaml").returncode == 2


def test_all_mistakes_of_a_file_are_told_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text("sampling:\n  intervall: 5s\ntmux:\n  hold: 1:30\n", encoding="utf-8")
    result = run("check-config", str(file))
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{file}:2:3: ")
    assert "'interval'" in first
    assert second.startswith(f"{file}:4:9: ")
    assert run("once", "--config", str(file)).stderr == result.stderr


def test_a_good_file_is_said_to_be_fine(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "good.yml"
    file.write_text("sampling:\n  interval: 10s\n", encoding="utf-8")
    result = run("check-config", str(file))
    assert (result.returncode, result.stdout) == (0, f"{file}: fine\n")


@pytest.mark.parametrize("program", ["tmux_exporter", "tmux_exporter.cli.remediator"])
def test_check_config_reads_what_another_program_writes(tmp_path: Path, program: str) -> None:
    file = Path(__file__).parents[2] / "deploy" / "tmux-exporter.example.yml"
    if program != "tmux_exporter":
        file = file.with_name("policies.yml")
    line = 'exec "$1" -m "$2" check-config <(cat "$3"; echo "$4")'
    for more, status in (("", 0), ("nonsense: 1", 2)):
        done = run_text(["bash", "-c", line, "bash", sys.executable, program, str(file), more])
        assert done.returncode == status, done
        assert ("'nonsense'" in done.stderr) == bool(more), done


def test_the_configuration_has_both_spellings(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text("log:\n  level: loud\n", encoding="utf-8")
    spellings = itertools.cycle(("--config", "--config.file"))
    for command in (("once",), ("check-config",), ("serve",), ("leaks",), ("top", "--once")):
        assert refused(run(*command, next(spellings), str(file)), 2).startswith(f"{file}:2:10: ")
    for words in (("plan",), ("run",), ("explain", "%0"), ("apply", "plan.json", "--sha256", "0")):
        line = refused(run(*words, next(spellings), str(file), program="tmux_exporter.cli.remediator"), 2)
        assert line.startswith(f"{file}:2:10: ")


def test_check_config_without_a_file_says_so(run: Run) -> None:
    result = run("check-config")
    assert result.returncode == 2
    assert "name a file" in result.stderr


def test_a_taken_port_is_told_with_its_holder(run: Run, socket_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(run("serve", "--web.listen-address", f"127.0.0.1:{port}"), 2)
    assert f"127.0.0.1:{port}" in line
    assert f"(pid {os.getpid()})" in line
    assert "--web.listen-address" in line


@pytest.mark.parametrize("command", [("once",), ("serve", "--web.listen-address", "127.0.0.1:0"), ("up",)])
def test_without_tmux_it_says_how_to_install(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    # A /proc without processes: there may be tmux servers of this user on the machine that runs the test.
    root = tmp_path / "proc"
    (root / "net").mkdir(parents=True)
    (root / "stat").write_text("btime 1700000000\n", encoding="ascii")
    (root / "net" / "unix").write_text("Num RefCount Protocol Flags Type St Inode Path\n", encoding="ascii")
    file = tmp_path / "c.yml"
    file.write_text(f"processes:\n  root: {root}\n", encoding="utf-8")
    # Who reads long says in its log that it does so in full at such a root.
    quiet = ("--log.level", "error") if command[0] != "once" else ()
    line = refused(run(*command, *quiet, "--config", str(file), environ={"PATH": str(tmp_path)}), 3)
    assert line == "tmux-exporter: tmux is not installed; install it: sudo apt-get install tmux"


def test_once_shows_the_sessions_in_every_format(run: Run, tmux_server: StartTmux) -> None:
    tmux_server("fleet").cmd("new-session", "-d", "-s", "two words", "sleep 3600")
    text = run("once")
    assert text.returncode == 0
    assert exposition.problems(text.stdout) == []
    assert 'tmux_session_processes{server="fleet",session="two words"} 1.0' in text.stdout
    assert run("once", "--format", "openmetrics").stdout.endswith("# EOF\n")
    assert (
        json.loads(run("once", "--format", "json").stdout).keys()
        == (report := json.loads(run("once", "--json").stdout)).keys()
    )
    assert "exclude each other" in run("once", "--json", "--format", "text").stderr
    assert {each["session"] for each in report["sessions"] if each["server"] == "fleet"} == {
        "main",
        "two words",
    }


def test_explain_tells_evidence_and_members(run: Run, tmux_server: StartTmux) -> None:
    server = tmux_server("fleet")
    pid = int(server.cmd("display-message", "-p", "-t", "%0", "#{pane_pid}").stdout[0])
    by_pane = run("explain", "fleet/%0")
    assert by_pane.returncode == 0
    assert str(pid) in by_pane.stdout
    assert f"tmux server {server_pid(server)}" in by_pane.stdout
    by_pid = json.loads(run("explain", "--json", str(pid)).stdout)
    assert (by_pid["facts"]["belongs to"], by_pid["members"][0]["pid"]) == ("pane %0", pid)
    for target in ("fleet/main", "session:fleet/main", "fleet", "server:fleet"):
        told = json.loads(run("explain", "--json", target).stdout)
        assert told["parts"] and told["members"], target
        assert told["sums"]["memory_bytes"] == sum(each["memory_bytes"] for each in told["members"])
    unknown = refused(run("explain", "nobody"), 3)
    assert "no pane and no agent nobody" in unknown and "main" in unknown and "fleet" in unknown
    assert "no process 4194305" in refused(run("explain", "4194305"), 3)


def test_schedulers_ends_with_1_for_one_in_trouble(
    run: Run, tmux_server: StartTmux, socket_dir: Path
) -> None:
    server = tmux_server("fleet")
    script = f"sleep 3000 && tmux -S {socket_dir / 'fleet'} send-keys -t main:0 'a secret text' Enter"
    with ExitStack() as stack:
        shell = subprocess.Popen(["bash", "-c", script])
        stack.callback(shell.wait)
        stack.callback(end_process, shell.pid)
        children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
        (sleep,) = wait_for(lambda: children.read_text().split(), "it sleeps")
        # The shell ends first, so that it sends nothing.
        stack.callback(end_process, int(sleep))
        stack.callback(end_process, shell.pid)

        def listed() -> dict[str, Any]:
            document = json.loads(run("schedulers", "--json").stdout)
            return next(each for each in document["schedulers"] if each["pid"] == shell.pid)

        armed = wait_for(lambda: (found := listed())["state"] == "armed" and found, "it is armed")
        assert (armed["sleep_pid"], armed["targets"]) == (int(sleep), ["main:0"])
        assert (armed["server"], armed["session"]) == ("fleet", "main")
        server.cmd("rename-session", "-t", "main", "other")
        result = run("schedulers")
        assert (result.returncode, result.stderr) == (1, "")
        (line,) = [line for line in result.stdout.splitlines() if f" {shell.pid} " in line]
        assert line.split()[:2] == ["dangling", "in"]
        assert "no target exists: no such session" in line
        assert "secret" not in result.stdout
        explained = run("explain", sleep).stdout
        assert "dangling: no target exists" in explained
        assert ["its", "shell", str(shell.pid)] in [line.split() for line in explained.splitlines()]


def test_leaks_lists_orphans_and_ends_with_1(run: Run, tmux_server: StartTmux, tmp_path: Path) -> None:
    server = tmux_server("fleet")
    script = tmp_path / "serve_secret.py"
    script.write_text(
        "import os, socket, sys, time\n"
        "port = socket.create_server(('127.0.0.1', 0))\n"
        "with open(sys.argv[1] + '.new', 'w') as file: print(os.getpid(), port.getsockname()[1], file=file)\n"
        "os.rename(sys.argv[1] + '.new', sys.argv[1])\n"
        "time.sleep(3000)\n"
    )
    left = tmp_path / "left"
    command = f"setsid {sys.executable} {script} {left} a-secret-word & exec sleep 3000"
    server.cmd("new-window", "-d", "-n", "doomed", f"sh -c '{command}'")
    pid, port = map(int, wait_for(lambda: left.read_text().split() if left.exists() else None, "it listens"))
    with ExitStack() as stack:
        stack.callback(end_process, pid)
        assert all(each["pid"] != pid for each in json.loads(run("leaks", "--json").stdout)["leaks"])
        server.cmd("kill-window", "-t", "main:doomed")

        def found() -> dict[str, Any] | None:
            document = json.loads(run("leaks", "--json").stdout)
            return next((each for each in document["leaks"] if each["pid"] == pid), None)

        leak = wait_for(found, "it is leaked")
        assert (leak["kind"], leak["listening_ports"]) == ("dev_server", [port])
        assert (leak["server"], leak["session"], leak["pane"]) == ("fleet", "main", "%1")
        assert leak["name"].endswith(" serve_secret.py") and leak["memory_bytes"] > 1_000_000
        result = run("leaks")
        assert (result.returncode, result.stderr) == (1, "")
        (line,) = [line for line in result.stdout.splitlines() if f" {pid} " in line]
        assert f" {port} " in line and "it listens on a TCP port" in line
        assert "a-secret-word" not in result.stdout


@dataclass(frozen=True)
class Remembering:
    """An exporter that has seen three panes, whose processes nothing else ties to them now."""

    file: Path
    exporter: Exporter
    cleared: int
    by_folder: int
    scheduler: int


@pytest.fixture
def remembering(
    tmux_server: StartTmux, start_exporter: StartExporter, tmp_path: Path, socket_dir: Path
) -> Iterator[Remembering]:
    server = tmux_server("fleet")
    folder = tmp_path / "projects" / "cline"
    folder.mkdir(parents=True)
    # Another session works in the folder above.
    server.cmd("new-session", "-d", "-s", "base", "-c", str(folder.parent), "sleep 3600")
    check_in = f"sleep 3000 && tmux -S {socket_dir / 'fleet'} send-keys -t gone:0 hello Enter"
    pids, parents = [], []
    with ExitStack() as stack:
        for name, command, where in (
            ("cleared", "env -i setsid sleep 3000", folder),
            ("by_folder", "setsid sleep 3000", folder),
            ("scheduler", f"env -i setsid bash -c {shlex.quote(check_in)}", Path("/")),
        ):
            left, file = tmp_path / name, tmp_path / f"{name}.sh"
            started = f"{command} & echo $! $$ >{left}.new; mv {left}.new {left}; exec sleep 3000"
            file.write_text(f"sh -c {shlex.quote(started)} & exec sleep 3000", encoding="utf-8")
            server.cmd("new-session", "-d", "-s", name, "-c", str(where), f"sh {file}")
            wait_for(left.exists, f"{name} runs")
            pid, parent = map(int, left.read_text().split())
            pids.append(pid)
            parents.append(parent)
            stack.callback(end_process, pid)
        exporter = start_exporter()
        config = tmp_path / "c.yml"
        address = exporter.url.removeprefix("http://").rstrip("/")
        config.write_text(f"web:\n  listen_address: {address}\n", encoding="utf-8")
        for name, parent in zip(("cleared", "by_folder"), parents, strict=False):
            server.cmd("kill-session", "-t", name)
            end_process(parent)
        end_process(parents[2])

        def told() -> bool:
            leaks = json.loads(exporter.get("/api/v1/report"))["leaks"]
            return {(each["pid"], each["session"]) for each in leaks} >= {
                (pids[0], "cleared"),
                (pids[1], "by_folder"),
            }

        wait_for(told, "the exporter knows them", 30)
        yield Remembering(config, exporter, *pids)


def test_leaks_has_also_what_only_the_running_exporter_can_know(run: Run, remembering: Remembering) -> None:
    def leaks(*flags: str) -> dict[int, dict[str, Any]]:
        found = json.loads(run("leaks", "--json", *flags).stdout)["leaks"]
        return {each["pid"]: each for each in found}

    alone = leaks()
    assert remembering.cleared not in alone, "nothing ties it to a pane any more"
    assert alone[remembering.by_folder]["session"] == "base", "a guess"
    asked = leaks("--config", str(remembering.file))
    leak = asked[remembering.cleared]
    assert (leak["server"], leak["session"], leak["listening_ports"]) == ("fleet", "cleared", [])
    assert "the exporter that runs" in leak["reason"]
    assert asked[remembering.by_folder]["session"] == "by_folder", "memory beats a guess"


def test_explain_asks_the_running_exporter(run: Run, remembering: Remembering) -> None:
    alone, asked = (
        {
            pid: json.loads(run("explain", "--json", str(pid), *flags).stdout)["facts"]
            for pid in (remembering.cleared, remembering.by_folder)
        }
        for flags in ((), ("--config", str(remembering.file)))
    )
    assert alone[remembering.cleared]["belongs to"] == "nothing of tmux"
    assert alone[remembering.by_folder]["left by"] == "fleet base"
    assert asked[remembering.cleared]["left by"] == "fleet cleared"
    assert asked[remembering.by_folder]["left by"] == "fleet by_folder"


def test_schedulers_asks_the_running_exporter(run: Run, remembering: Remembering) -> None:
    def session(*flags: str) -> str:
        found = json.loads(run("schedulers", "--json", *flags).stdout)["schedulers"]
        return next(str(each["session"]) for each in found if each["pid"] == remembering.scheduler)

    assert (session(), session("--config", str(remembering.file))) == ("", "scheduler")


@pytest.mark.parametrize("command", [("leaks",), ("schedulers",), ("explain", str(os.getpid()))])
def test_a_silent_exporter_is_one_line(run: Run, remembering: Remembering, command: tuple[str, ...]) -> None:
    remembering.exporter.process.send_signal(signal.SIGSTOP)
    try:
        result = run(*command, "--config", str(remembering.file))
    finally:
        remembering.exporter.process.send_signal(signal.SIGCONT)
    assert result.returncode in (0, 1) and result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("tmux-exporter: what listens on 127.0.0.1:")
    assert line.endswith(
        " does not answer within 2 s: this rests on one sample of its own, without earlier ones"
    )


@pytest.mark.parametrize("command", ["schedulers", "leaks"])
def test_nothing_can_be_told_from_half_a_listing(run: Run, tmp_path: Path, command: str) -> None:
    root = tmp_path / "proc"
    (root / "7").mkdir(parents=True)
    (root / "stat").write_text("btime 1700000000\n", encoding="ascii")
    (root / "7" / "stat").write_text("7 (bash) S ?\n", encoding="ascii")
    file = tmp_path / "c.yml"
    file.write_text(f"processes:\n  root: {root}\n", encoding="utf-8")
    line = refused(run(command, "--config", str(file)), 3)
    assert "not all processes of this machine can be listed" in line


def test_a_person_is_told_what_takes_longer_than_a_second(run: Run, socket_dir: Path, tmp_path: Path) -> None:
    slow = ("plan", "--interval", "1s")
    assert "looking" not in run(*slow, program="tmux_exporter.cli.remediator").stderr
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tmux_exporter.cli.remediator", *slow],
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=100,
            check=False,
        )
        told = os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout
    assert told.startswith("reading processes and tmux servers …\r\n".encode())


def test_a_reader_that_has_left_is_no_error(run: Run, tmux_server: StartTmux) -> None:
    tmux_server("fleet")
    for command in (("once",), ("explain", "fleet/%0")):
        reader, writer = os.pipe()
        os.close(reader)
        result = run(*command, stdout=writer)
        os.close(writer)
        assert (result.returncode, result.stderr) == (0, ""), command


@pytest.mark.parametrize("command", [("once",), ("explain", str(os.getpid()))])
def test_a_full_disk_is_one_line(run: Run, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        result = run(*command, stdout=full)
    assert result.returncode == 1
    assert result.stderr == "tmux-exporter: cannot go on: No space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "<&-", "<&- >&-"])
def test_a_closed_stream_is_an_empty_one(tmp_path: Path, closed: str) -> None:
    words = f'"{sys.executable}" -m tmux_exporter once --format json {closed}'
    done = run_text(["sh", "-c", words], env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed)


def test_what_the_terminal_s_encoding_lacks_is_escaped(run: Run, tmux_server: StartTmux) -> None:
    tmux_server("fleet").cmd("rename-session", "-t", "main", "é狐")
    result = run("explain", "fleet/%0", environ={"PYTHONIOENCODING": "latin-1"}, encoding="latin-1")
    assert (result.returncode, result.stderr) == (0, "")
    assert "é\\u72d0" in result.stdout


def test_a_folder_that_cannot_be_used_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tmux-exporter" / "up.lock").mkdir(parents=True)
    line = refused(run("up", "--web.listen-address", "127.0.0.1:0"), 1)
    lock = tmp_path / "tmux-exporter" / "up.lock"
    assert line.startswith(f"tmux-exporter: cannot use '{lock}': Is a directory; ")


def test_a_port_alone_listens_everywhere_and_says_who_can_read_it(start_exporter: StartExporter) -> None:
    exporter = start_exporter("--web.listen-address", ":0")
    assert exporter.url.startswith("http://[::]:")
    (warning,) = exporter.log.read_text(encoding="utf-8").splitlines()[1:2]
    assert warning.startswith(
        f"tmux-exporter: anyone who reaches {exporter.url} can read it without password"
    )
    assert "tmux-exporter: anyone who" not in start_exporter().log.read_text(encoding="utf-8")


def test_sighup_applies_a_good_file_and_no_bad_one(tmp_path: Path, start_exporter: StartExporter) -> None:
    file = tmp_path / "c.yml"
    file.write_text("metrics:\n  pane_detail: false\n", encoding="utf-8")
    exporter = start_exporter("--config", str(file))
    file.write_text("metrics:\n  pane_detail: maybe\n", encoding="utf-8")
    exporter.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "config_last_reload_successful 0.0" in exporter.metrics(), "the bad file is refused")
    file.write_text("metrics:\n  pane_detail: true\n", encoding="utf-8")
    exporter.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "tmux_pane_threads" in exporter.metrics(), "the good file is applied")
    assert "config_last_reload_successful 1.0" in exporter.metrics()
