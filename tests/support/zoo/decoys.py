"""Every decoy: what it is, what spares it, and the incident behind it where there is one.

A command is a line of a shell script, run in one of the places of `Where`; `$B` is the folder of the zoo,
`$S` that of its sockets, `$PY` Python, `$GONE` the id of the pane that is going to be killed. `$B/bin` has
programs that sleep, `$B/sh` shells, by the names that they go by; nobody ever writes to `$B/never`.
`spawn NAME COMMAND` runs a command in a kernel session of its own, as a daemon does; `keep NAME COMMAND` in
that of the pane, deaf to its hangup. Both leave the pid.
"""

from dataclasses import dataclass
from enum import Enum, auto

from tmux_exporter.facts.leaks import LeakKind


class Where(Enum):
    """Where a decoy is started."""

    GONE = auto()
    """In the pane that will be gone."""

    LIVE = auto()
    """In a pane that stays."""

    LATE = auto()
    """In a pane of the third server that comes after its last answer, before it hangs."""

    APART = auto()
    """By the zoo itself, which tells it whatever a tmux server would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoy:
    """A process, or a few, that must never be called leaked. Each of `guards` alone would spare it."""

    name: str
    guards: frozenset[str]
    where: Where
    command: str = ""
    incident: str = ""
    unit: str = ""


def _decoy(
    name: str, guards: str, where: Where, command: str = "", incident: str = "", *, unit: str = ""
) -> Decoy:
    return Decoy(
        name=name,
        guards=frozenset(guards.split()),
        where=where,
        command=command,
        incident=incident,
        unit=unit,
    )


def _stays(name: str, incident: str = "", command: str = "") -> Decoy:
    line = command or f"$B/bin/{name} 3000"
    return _decoy(name, "is_lasting", Where.GONE, f"spawn {name} {line}", incident)


_G, _L, _A = Where.GONE, Where.LIVE, Where.APART

_TMUX = (
    _decoy("nested_server", "tmux_server", _G, incident="Loulen/prompt-driven-orchestrator#234"),
    _decoy("swarm_server", "tmux_server", _G, incident="stablyai/orca#15146"),
    _decoy("server_without_socket", "tmux_server", _G, incident="termio-sh/termio#127"),
    _decoy("server_by_another_name", "tmux_server", _G, incident="asheshgoplani/agent-deck#1837"),
    _decoy("control_client", "tmux_client", _G,
        "mkfifo $B/in; spawn control_client sh -c 'exec tmux -C attach -t main <>$0/in >/dev/null' $B"),
    _decoy("waiting_client", "tmux_client", _G, "spawn waiting_client tmux wait-for never"),
    _decoy("client_by_another_name", "tmux_client", _G,
        "spawn client_by_another_name bash -c 'exec -a a-long-name-for-tmux tmux wait-for never'"),
    _decoy("job", "job_session", _A),
    _decoy("pipe_job", "job_session", _A),
    _decoy("nested_job", "job_session handed_on_pane", _A),
    _decoy("nested_job_orphan", "handed_on_pane", _A),
)  # fmt: skip

_PANES = (
    _decoy(
        "child_with_a_stale_pane",
        "live_tree",
        _L,
        "TMUX_PANE=$GONE setsid sh -c 'echo $$ >$0; exec sleep 3000' $B/child_with_a_stale_pane.pid &",
        "phnx-labs/agi-cli#2602",
    ),
    _decoy(
        "grandchild_with_a_stale_pane",
        "live_tree kernel_session terminal living_pane",
        _L,
        "sh -c 'TMUX_PANE=$1 setsid sh -c '\"'\"'echo $$ >$0; exec sleep 3000'\"'\"' $0; :' "
        "$B/grandchild_with_a_stale_pane.pid $GONE &",
        "phnx-labs/agi-cli#2611",
    ),
    _decoy(
        "orphan_of_a_living_session",
        "kernel_session terminal is_attended",
        _L,
        "( TMUX_PANE=$GONE sh -c 'echo $$ >$0; exec sleep 3000' $B/orphan_of_a_living_session.pid & )",
    ),
    _decoy(
        "orphan_without_terminal",
        "kernel_session",
        _L,
        "( TMUX_PANE=$GONE $PY $B/notty.py $B/orphan_without_terminal.pid & )",
    ),
    _decoy("daemon_of_a_living_pane", "living_pane", _L, "spawn daemon_of_a_living_pane sleep 3000",
           "VirtusLab/orca#62"),
    _decoy("agent_of_a_living_pane", "living_pane", _L,
           "spawn agent_of_a_living_pane $B/sh/claude -c 'read x <$0' $B/never", "gastownhall/gastown#923"),
    _decoy("agent_daemon_of_a_living_pane", "living_pane", _L,
           "spawn agent_daemon_of_a_living_pane $B/sh/codex -c 'read x <$1' app-server $B/never",
           "phnx-labs/agi-cli#2584"),
    _decoy("mcp_server_of_a_living_pane", "living_pane", _L,
           "spawn mcp_server_of_a_living_pane $B/bin/mcp-server-git 3000"),
    _decoy("dev_server_of_a_living_pane", "living_pane", _L,
           "spawn dev_server_of_a_living_pane $PY $B/listen.py"),
    _decoy("renamed_agent_of_a_living_pane", "living_pane", _L,
           "spawn renamed_agent_of_a_living_pane $B/bin/2.1.197 3000", "gastownhall/gastown#1157"),
    _decoy("agent_that_quotes_a_check_in", "living_pane", _L,
           "spawn agent_that_quotes_a_check_in $B/sh/claude -c 'read x <$0' $B/never "
           "'nohup bash -c \"sleep 60 && tmux send-keys -t gone:0 hi Enter\"'", "phnx-labs/agi-cli#2602"),
    _decoy("shell_of_a_hung_server", "known_answer is_attended", Where.LATE, incident="eltmon/overdeck#2757"),
    _decoy("daemon_of_a_hung_server", "known_answer", Where.LATE,
           "spawn daemon_of_a_hung_server sleep 3000", "phnx-labs/agi-cli#2650"),
    _decoy("agent_of_a_hung_server", "known_answer", Where.LATE,
           "spawn agent_of_a_hung_server $B/sh/claude -c 'read x <$0' $B/never", "agetor#88"),
)  # fmt: skip

_NAMES = (
    _decoy("of_the_server_before", "living_server", _A),
    _decoy("forged_dead_pid", "living_server", _A),
    _decoy("forged_other_pid", "living_server", _A),
    _decoy("pane_without_server", "named_server", _A),
    _decoy("garbage_for_server", "named_server", _A),
    _decoy("older_than_its_server", "server_age", _A),
    _decoy("of_another_socket", "server_socket", _A, incident="phnx-labs/agi-cli#2596"),
    _decoy("of_another_socket_folder", "server_socket", _A),
    _decoy("garbage_for_pane", "pane_id", _A),
    _decoy("number_for_pane", "pane_id", _A),
    _decoy("bearer_of_a_known_pid", "identity", _A, incident="SquidSquad#9937"),
    _decoy("another_bearer_of_a_known_pid", "identity", _A),
    _decoy("zombie", "is_alive is_unreadable", _G,
           "spawn zombie_parent sh -c 'sleep 3000 & echo $! >$0; exec sleep 3001' $B/zombie.pid"),
)  # fmt: skip

_MEANT = (
    _decoy("kept_daemon", "is_kept", _G, "spawn kept_daemon env TMUX_EXPORTER_KEEP=1 sleep 3000",
           "anthropics/claude-code#25188"),
    _decoy("kept_job", "is_kept", _G, "keep kept_job env TMUX_EXPORTER_KEEP=1 sleep 3000",
           "anthropics/claude-code#84625"),
    _decoy("kept_dev_server", "is_kept", _G,
           "spawn kept_dev_server env TMUX_EXPORTER_KEEP=yes $PY $B/listen.py",
           "anthropics/claude-code#87496"),
    _decoy("our_exporter", "is_ours", _G, "spawn our_exporter $PY $B/bin/tmux-exporter serve",
           "tomcounsell/ai#1284"),
    _decoy("our_remediator", "is_ours", _G, "spawn our_remediator env -C $B $PY -m tmux_exporter.zoo"),
    _decoy("ending_agent", "is_new", _G,
           "keep ending_agent $B/sh/claude -c 'read x <$0' $B/ending", "asheshgoplani/agent-deck#1705"),
    _decoy("ending_daemon", "is_new", _G, "keep ending_daemon sh -c 'read x <$0' $B/ending2"),
    _decoy("service", "is_a_unit", _G, "spawn service sleep 3000", "theQuert/cc-reaper#1",
           unit="web.service"),
    _decoy("job_of_at", "is_a_unit", _G, "spawn job_of_at sleep 3000", unit="atd.service"),
    _decoy("user_service", "is_a_unit", _G, "spawn user_service $PY $B/listen.py", unit="dev@1.service"),
    _decoy("in_a_container", "is_elsewhere", _A),
    _decoy("in_an_unknown_terminal", "is_attended", _G, "spawn in_an_unknown_terminal $PY $B/terminal.py"),
    _decoy("unreadable", "is_unreadable", _G, "keep unreadable $PY $B/undumpable.py",
           "phnx-labs/agi-cli#2611"),
)  # fmt: skip

_ID = "01234567-89ab-cdef-0123-{:012d}"
MARKER_OF_ONE_OUTSIDE = {"CODEX_THREAD_ID": _ID.format(1)}
_BEFORE = f"CODEX_THREAD_ID={_ID.format(3)}"


def _marked(name: str, program: str, variable: str, number: int) -> str:
    return f"$B/sh/{program} $B/agent.sh $B {name} {variable} {_ID.format(number)} &"


_MARKED = (
    _decoy("marked_outside_of_tmux", "marker_orphan", _A),
    _decoy("marked_with_one_outside", "marker_orphan", _G,
           _marked("marked_with_one_outside", "codex", "CODEX_THREAD_ID", 1)),
    _decoy("marked_beside_an_agent_outside", "marker_outside", _G,
           _marked("marked_beside_an_agent_outside", "claude", "CLAUDE_CODE_SESSION_ID", 2),
           "termio-sh/termio#137"),
    _decoy("marked_before_its_agent", "marker_age", _G,
           f"spawn marked_before_its_agent env -u TMUX -u TMUX_PANE {_BEFORE} sleep 3000\nsleep 0.1\n"
           + _marked("marked_later", "codex", "CODEX_THREAD_ID", 3)),
)  # fmt: skip

_FOLDERS = (
    _decoy("editor_in_a_worktree", "stronger_evidence", _A, "$B/bin/vim"),
    _decoy("dev_server_in_a_worktree", "stronger_evidence", _A, "listen.py"),
    _decoy("agent_in_a_worktree", "stronger_evidence", _A, "$B/sh/claude"),
    _decoy("daemon_of_a_removed_worktree", "stronger_evidence", _A, "$B/bin/esbuild"),
)
"""Started by hand in the folder of a session: a working folder ties nothing to a pane."""

_PROGRAMS = (
    _stays("screen"), _stays("dtach"), _stays("abduco"), _stays("zellij"), _stays("mosh-server"),
    _stays("ssh-agent"), _stays("gpg-agent"), _stays("dbus-daemon"), _stays("pulseaudio"), _stays("watchman"),
    _stays("adb"), _stays("sccache"), _stays("dockerd"), _stays("conmon"), _stays("containerd-shim-runc-v2"),
    _stays("syncthing"), _stays("xterm"), _stays("kitty"), _stays("cursor"),
    _stays("emacs_daemon", command="$B/sh/emacs -c 'read x <$1' --daemon $B/never"),
    _stays("gradle", command="$B/sh/java -c 'read x <$1' "
           "org.gradle.launcher.daemon.bootstrap.GradleDaemon $B/never"),
    _stays("bazel_server", command="bash -c 'exec -a \"bazel(zoo)\" $0/sh/java -c \"read x <$0/never\"' $B"),
    _stays("pm2", command="bash -c 'exec -a \"PM2 v5.3.0: God Daemon (/root/.pm2)\" $0/bin/node 3000' $B"),
    _stays("ssh_master", command="bash -c 'exec -a \"ssh: /tmp/cm [mux]\" $0/bin/ssh 3000' $B"),
    _stays("vscode_server", command="$B/.vscode-server/bin/node 3000"),
    _stays("shell_in_screen", command="$B/sh/screen -c 'setsid sleep 3000; :'"),
    _stays("build_below_a_daemon", command="$B/sh/dockerd -c 'sleep 3000; :'"),
)  # fmt: skip

_CHECK_INS = tuple(
    _decoy(f"check_in_{name}", "is_a_scheduler", _G, f"spawn check_in_{name} bash -c {script}", incident)
    for name, script, incident in (
        ("armed", "'sleep 3000 && tmux send-keys -t main:0 hi Enter'", ""),
        ("twice", "'sleep 3000 && tmux send-keys -t main:0 hi Enter'", "phnx-labs/agi-cli#1886"),
        ("misdirected", "'sleep 3000; tmux send-keys -t mai:0 hi Enter'", "imbue-ai/mngr#1145"),
        ("of_a_variable", "'sleep 3000 && tmux send-keys -t \"$TARGET\" hi Enter'", ""),
        ("of_a_loop", "'while sleep 3000; do tmux send-keys -t main:0 hi Enter; done'", ""),
        ("of_a_substitution", "'sleep 3000; tmux send-keys -t main:0 \"$(date)\" Enter'", ""),
        ("firing", "'sleep 0; tmux send-keys -t main:0 hi; sleep 3000; tmux send-keys -t main:0 Enter'", ""),
        ("on_a_hung_server", "'sleep 3000; tmux -S '$S'/hung send-keys -t main:0 hi Enter'",
         "eltmon/overdeck#2757"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Left:
    """A process that is truly leaked, and its kind: what the guards must not spare."""

    name: str
    kind: LeakKind
    command: str


LEFT = (
    Left("left_agent", LeakKind.AGENT, "spawn left_agent $B/sh/claude -c 'read x <$0' $B/never"),
    Left("left_agent_daemon", LeakKind.AGENT_DAEMON,
        "spawn left_agent_daemon $B/sh/codex -c 'read x <$1' app-server $B/never"),
    Left("left_mcp_server", LeakKind.MCP_SERVER, "spawn left_mcp_server $B/bin/mcp-server-git 3000"),
    Left("left_dev_server", LeakKind.DEV_SERVER, "spawn left_dev_server $PY $B/listen.py"),
    Left("left_shell_job", LeakKind.SHELL_JOB, "keep left_shell_job bash -c 'sleep 3000 && true'"),
    Left("left_script", LeakKind.SHELL_JOB, "spawn left_script sh $B/later.sh"),
    Left("left_job", LeakKind.SHELL_JOB, "keep left_job sleep 3000"),
    Left("left_daemon", LeakKind.OTHER, "spawn left_daemon sleep 3000"),
    Left("left_without_environment", LeakKind.SHELL_JOB, "keep left_without_environment env -i sleep 3000"),
    Left("left_script_session", LeakKind.OTHER,
        "spawn left_script_session script -qfc 'sleep 3000' /dev/null"),
    Left("left_grandchild", LeakKind.SHELL_JOB, "( ( keep left_grandchild sleep 3000 ) & )"),
    Left("left_with_a_marker", LeakKind.OTHER, _marked("left_with_a_marker", "codex", "CODEX_SESSION_ID", 4)),
    Left("left_check_in", LeakKind.SCHEDULER,
        "keep left_check_in bash -c 'sleep 3000 && tmux send-keys -t nowhere:0 hi Enter'"),
    Left("left_immortal_check_in", LeakKind.SCHEDULER,
        "keep left_immortal_check_in bash -c 'sleep infinity; tmux send-keys -t main:0 hi Enter'"),
    Left("zombie_parent", LeakKind.OTHER, ""),
)  # fmt: skip
"""All of them, started in the pane that will be gone."""

DECOYS: tuple[Decoy, ...] = (*_TMUX, *_PANES, *_NAMES, *_MEANT, *_MARKED, *_FOLDERS, *_PROGRAMS, *_CHECK_INS)
"""All of them."""

SERVERS = frozenset(each.name for each in _TMUX if "tmux_server" in each.guards)
"""Those that are tmux servers."""
