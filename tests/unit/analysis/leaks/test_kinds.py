"""Kinds of leaked processes: by program, by listening ports, by relatives."""

from collections.abc import Mapping

import pytest

from tests.support.literals.facts import process
from tmux_exporter.analysis.leaks.kinds import LeakKinds, own_kind, why_lasting
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.process_names import display_name, is_mcp_server
from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.analysis.programs.signatures import matcher
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import LeakDetails, Process

MATCH = matcher(SIGNATURES).match


def program(*argv: str, exe: str | None = None, pid: int = 300, ppid: int = 1, session: int = 300) -> Process:
    return process(
        pid, ppid, session=session, argv=argv, exe=exe if exe is not None else f"/usr/bin/{argv[0]}"
    )


def own(each: Process, *, listens: bool = False) -> LeakKind | None:
    return own_kind(each, MATCH(each), LeakDetails(unit="", listens=listens))


@pytest.mark.parametrize(
    "each",
    [
        program("mcp-server-git", "--repository", "/srv/x"),
        program("npm exec @modelcontextprotocol/server-filesystem /srv", exe="/usr/bin/node"),
        program("node", "/usr/bin/npx", "-y", "@modelcontextprotocol/server-memory", exe="/usr/bin/node"),
        program("node", "/root/.npm/_npx/1f/node_modules/.bin/mcp-server-memory", exe="/usr/bin/node"),
        program(
            "node", "/srv/node_modules/@modelcontextprotocol/server-github/dist/index.js", exe="/usr/bin/node"
        ),
        program("node", "/opt/chrome-devtools-mcp/build/src/index.js", exe="/usr/bin/node"),
        program("node", "/home/u/mcp-servers/github/dist/index.js", exe="/usr/bin/node"),
        program("python3", "-m", "mcp_server_fetch", exe="/usr/bin/python3.11"),
        program("uvx", "mcp-server-sqlite", "--db-path", "x.db"),
    ],
)
def test_an_mcp_server_is_one_by_its_name(each: Process) -> None:
    assert is_mcp_server(each)
    assert own(each, listens=True) is LeakKind.MCP_SERVER


@pytest.mark.parametrize(
    "each",
    [
        program("python3", "/home/u/mcp/tests/run_tests.py", exe="/usr/bin/python3"),
        program("grep", "-r", "mcp-server", "/srv"),
        program("vim", "mcp.json"),
        program("node", "/srv/imcprover/index.js", exe="/usr/bin/node"),
        program("bash", "-c", "echo mcp-server-git"),
        program("sleep", "300"),
    ],
)
def test_a_word_in_somebodys_arguments_makes_none(each: Process) -> None:
    assert not is_mcp_server(each)


@pytest.mark.parametrize(
    ("each", "kind"),
    [
        (program("claude", exe="/home/u/.local/share/claude/versions/2.1.197"), LeakKind.AGENT),
        (program("codex", "mcp-server"), LeakKind.MCP_SERVER),
        (program("claude", "mcp", "serve"), LeakKind.MCP_SERVER),
        (program("codex", "app-server", "--listen", "unix://"), LeakKind.AGENT_DAEMON),
        (program("claude", "daemon"), LeakKind.AGENT_DAEMON),
        (program("opencode", "serve"), LeakKind.AGENT_DAEMON),
        (program("python3", "app.py", exe="/usr/bin/python3"), LeakKind.DEV_SERVER),
    ],
)
def test_what_a_process_shows_of_itself(each: Process, kind: LeakKind) -> None:
    assert own(each, listens=True) is kind


def kinds(*leaks: Process, listening: int = 0, living: tuple[Process, ...] = ()) -> Mapping[int, LeakKind]:
    found = {each.id.pid: each for each in leaks}
    table = {**found, **{each.id.pid: each for each in living}}
    judged = LeakKinds(found, table, lambda each: own(each, listens=each.id.pid == listening))
    return {pid: judged.of(pid)[0] for pid in found}


def test_a_wrapper_is_what_it_wraps_and_a_server_includes_what_it_starts() -> None:
    npm = program("npm run dev", exe="/usr/bin/node", pid=300)
    shell = program("sh", "-c", "vite", pid=301, ppid=300)
    vite = program("node", "/srv/node_modules/.bin/vite", exe="/usr/bin/node", pid=302, ppid=301)
    esbuild = program("esbuild", "--service", pid=303, ppid=302)
    assert set(kinds(npm, shell, vite, esbuild, listening=302).values()) == {LeakKind.DEV_SERVER}


def test_of_several_a_wrapper_is_the_gravest() -> None:
    shell = program("sh", "-c", "x", pid=300)
    server = program("python3", "app.py", pid=301, ppid=300)
    assert kinds(shell, server, program("claude", pid=302, ppid=300), listening=301) == {
        300: LeakKind.AGENT,
        301: LeakKind.DEV_SERVER,
        302: LeakKind.AGENT,
    }


def test_shells_their_children_and_jobs_without_a_shell_are_shell_jobs() -> None:
    shell = program("bash", "later.sh", pid=300)
    sleep = program("sleep", "300", pid=301, ppid=300)
    job = program("make", pid=302, session=299)
    daemon = program("make", pid=303, session=303)
    of_a_living_session = program("make", pid=304, session=250)
    assert kinds(shell, sleep, job, daemon, of_a_living_session, living=(process(250),)) == {
        300: LeakKind.SHELL_JOB,
        301: LeakKind.SHELL_JOB,
        302: LeakKind.SHELL_JOB,
        303: LeakKind.OTHER,
        304: LeakKind.OTHER,
    }


def test_parents_in_a_circle_end() -> None:
    first, second = program("make", pid=300, ppid=301), program("make", pid=301, ppid=300, session=301)
    assert set(kinds(first, second).values()) == {LeakKind.OTHER}


@pytest.mark.parametrize(
    "each",
    [
        program("ssh-agent", "-s"),
        program("SCREEN", "-dmS", "x", exe="/usr/bin/screen"),
        program("zellij", "--server", "/run/x", exe="/opt/zellij (deleted)"),
        program("ssh: /home/u/.ssh/cm [mux]", exe="/usr/bin/ssh"),
        program("bazel(project)", "-x", exe="/usr/lib/jvm/bin/java"),
        program("java", "-Xmx1g", "org.gradle.launcher.daemon.bootstrap.GradleDaemon", "8.5"),
        program("node", "/x/server.js", exe="/home/u/.vscode-server/cli/servers/Stable-1/server/node"),
        program("emacs", "--daemon"),
        program("PM2 v5.3.0: God Daemon (/home/u/.pm2)", exe="/usr/bin/node"),
    ],
)
def test_what_is_there_to_stay(each: Process) -> None:
    assert why_lasting(each).startswith(f"{program_of(each)}: it ")


@pytest.mark.parametrize(
    "each",
    [
        program("ssh", "host", "sleep 300"),
        program("bash", "-c", "ssh-agent"),
        program("java", "-jar", "app.jar"),
        program("node", "gradle", "org.gradle.launcher.daemon.bootstrap.GradleDaemon"),
        program("emacs", "--batch", "-l", "x.el"),
        program("sleep", "300"),
    ],
)
def test_what_is_not(each: Process) -> None:
    assert why_lasting(each) == ""


@pytest.mark.parametrize(
    ("each", "name"),
    [
        (program("sleep", "300"), "sleep"),
        (program("vite-helper", "300", exe="/usr/bin/sleep"), "sleep"),
        (program("claude", "--print", "a secret prompt"), "claude"),
        (program("bash", "-c", "sleep 5; a secret"), "bash"),
        (program("bash", "/srv/later.sh", exe="/usr/bin/bash"), "bash"),
        (program("python3", "/srv/serve.py", "--key", "x", exe="/usr/bin/python3.11"), "python3.11 serve.py"),
        (program("python3", "-m", "http.server", exe="/usr/bin/python3"), "python3 http.server"),
        (program("node", "/srv/node_modules/@a/b/dist/index.js", exe="/usr/bin/node"), "node @a/b"),
        (program("node", "/srv/node_modules/.bin/tsc", "x", exe="/usr/bin/node"), "node .bin/tsc"),
        (program("node", "/srv/github/dist/index.js", exe="/usr/bin/node"), "node github/index.js"),
        (program("npm exec some-package /srv/secret", exe="/usr/bin/node"), "npm some-package"),
        (program("node", "/usr/bin/npx", "-y", "@a/b", exe="/usr/bin/node"), "node @a/b"),
        (process(300, 1, comm="MainThread", argv=None, exe=None), "MainThread"),
    ],
)
def test_it_is_called_by_its_program_and_what_that_runs(each: Process, name: str) -> None:
    assert display_name(each) == name
