"""The state of agents among real processes: which source tells it, and what happens where one does not."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process
from tests.support.tmux.played_agent import PlayedAgents
from tests.support.wait import wait_for
from tmux_exporter.analysis.agents.pane_state import MOVES_SECONDS
from tmux_exporter.analysis.report.explain import explain
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import AgentSettings, Config
from tmux_exporter.facts.agents import AgentState, StateSource, TrackedAgent, WaitingReason
from tmux_exporter.facts.report import AgentReport
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.sampler import Sampler


@pytest.fixture
def agents(tmux_server: StartTmux, socket_dir: Path) -> PlayedAgents:
    return PlayedAgents(socket_dir.parent, tmux_server("default"))


def told(tracked: TrackedAgent) -> tuple[AgentState, StateSource]:
    return tracked.status.state, tracked.status.source


def facts(agents: PlayedAgents, name: str) -> dict[str, list[str]]:
    assert agents.snapshot is not None
    found: dict[str, list[str]] = {}
    for label, value in explain(f"default/{name}", agents.snapshot).facts:
        found.setdefault(label, []).append(value)
    return found


def test_a_session_file_tells_every_state_within_one_sample(agents: PlayedAgents) -> None:
    pid = agents.start("one")
    agents.session_file(pid)
    tracked = agents.tracked("one")
    assert (*told(tracked), tracked.version) == (AgentState.IDLE, StateSource.AGENT_FILE, "2.1.197")
    agents.session_file(pid, status="busy")
    assert told(agents.look()["one"]) == (AgentState.WORKING, StateSource.AGENT_FILE)
    asked_at = tracked.status.since + 0.25
    agents.session_file(
        pid, status="waiting", waitingFor="permission prompt", statusUpdatedAt=int(asked_at * 1000)
    )
    status = agents.look()["one"].status
    assert (status.state, status.reason) == (AgentState.WAITING, WaitingReason.PERMISSION)
    assert abs(status.since - asked_at) < 1.0
    agents.session_file(pid, status="idle")
    assert told(agents.look()["one"]) == (AgentState.IDLE, StateSource.AGENT_FILE)


def test_a_file_that_is_not_to_be_believed_gives_way_and_explain_says_so(agents: PlayedAgents) -> None:
    pid = agents.start("one")
    agents.session_file(pid, status="busy")
    assert told(agents.tracked("one")) == (AgentState.WORKING, StateSource.AGENT_FILE)
    agents.session_file(pid, procStart="1")
    agents.look()
    assert agents.look()["one"].status.source is StateSource.WINDOW_ACTIVITY
    said = facts(agents, "one")
    assert "agent_file: its session file is that of another process" in said["not decisive"]
    assert said["told by"][0].startswith("window_activity: ")


def titled(agents: PlayedAgents, name: str) -> str:
    """The script of an agent that calls its pane whatever is written into the pipe `NAME.title`."""
    pipe = agents.base / f"{name}.title"
    os.mkfifo(pipe)
    return f"while :; do read -r title <{pipe} && printf '\\033]2;%s\\007' \"$title\"; done"


def test_the_sign_of_a_title_tells_the_state_and_no_word_of_it_is_kept(agents: PlayedAgents) -> None:
    for name, program in (("one", "claude"), ("two", "gemini")):
        agents.start(name, titled(agents, name), program)

    def shows(name: str, title: str, state: AgentState, reason: WaitingReason | None = None) -> None:
        (agents.base / f"{name}.title").write_text(title + "\n")

        def seen() -> TrackedAgent | None:
            tracked = agents.look().get(name)
            wanted = (state, StateSource.PANE_TITLE)
            return (
                tracked if tracked and told(tracked) == wanted and tracked.status.reason is reason else None
            )

        tracked = wait_for(seen, f"{name} shows {state}", 30.0)
        assert "SECRET" not in repr(tracked) + repr(facts(agents, name))

    shows("one", "⠂ SECRET", AgentState.WORKING)
    shows("one", "✳ SECRET", AgentState.IDLE)
    shows("two", "◇ SECRET", AgentState.IDLE)
    shows("two", "✋ SECRET", AgentState.WAITING, WaitingReason.PERMISSION)
    shows("two", "✦ SECRET", AgentState.WORKING)


def test_names_and_times_outlive_the_exporter_not_counters(tmux_server: StartTmux, socket_dir: Path) -> None:
    server = tmux_server("default")
    agents = PlayedAgents(socket_dir.parent, server, keeps=True)
    pid = agents.start("one")
    since = int(SystemClock().time() * 1000)
    agents.session_file(pid, status="waiting", waitingFor="dialog open", statusUpdatedAt=since)
    agents.tracked("one")
    agents.sampler.sample()
    server.cmd("rename-window", "-t", "main:one", "two")
    agents.session_file(pid, procStart="1")

    def of(sampler: Sampler) -> AgentReport:
        (report,) = (each for each in sampler.sample().agents if each.server == "default")
        return report

    def is_quiet() -> bool:
        (moved,) = server.cmd("display-message", "-p", "-t", "main:two", "#{window_activity}").stdout
        return SystemClock().time() - float(moved) > MOVES_SECONDS + 1

    # A window that has moved a moment ago looks like work.
    wait_for(is_quiet, "the window is quiet")
    # A new exporter knows the name. What no source says any more is as it was, for one look.
    report = of(agents.another_sampler())
    assert (report.agent, report.window_name) == ("one", "two")
    assert (report.state, report.waiting_reason) == (AgentState.WAITING, WaitingReason.DIALOG)
    assert abs(report.state_since_timestamp_seconds - since / 1000) < 1.0
    assert (report.restarts_total, sum(report.state_seconds_total.values())) == (0, 0.0)
    # A file that is gone is no reason to fail.
    (agents.base / "tmux-exporter" / "agents.json").unlink()
    assert of(agents.another_sampler()).agent == "two"


def test_only_serve_keeps_the_file(
    start_exporter: StartExporter, tmux_server: StartTmux, tmp_path: Path
) -> None:
    tmux_server("default")
    start_exporter()
    (file,) = wait_for(lambda: list(tmp_path.glob("*/tmux-exporter/agents.json")), "the file is there", 30.0)
    assert file.stat().st_mode & 0o777 == 0o600
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "once"), "XDG_RUNTIME_DIR": str(tmp_path)}
    run_text([sys.executable, "-m", "tmux_exporter", "once"], check=True, env=environ)
    assert not (tmp_path / "once").exists()


def test_an_agent_that_ended_is_exited_whatever_its_pane_is_still_called(agents: PlayedAgents) -> None:
    pids = agents.base / "dead.pid"
    agents.start("alive")
    script = agents.base / "dead.sh"
    # Waits by itself: a child of its own would outlive it and its pane.
    os.mkfifo(agents.base / "dead.in")
    script.write_text(f"printf '\\033]2;⠂ busy\\007'; echo $$ >{pids}; read line <{agents.base}/dead.in\n")
    agents.server.cmd("new-window", "-d", "-n", "dead", "-t", "main:", "bash --norc --noprofile -i")
    agents.server.cmd("send-keys", "-t", "main:dead", f"{agents.bin}/claude {script}", "Enter")
    pid = int(wait_for(lambda: pids.read_text().strip() if pids.exists() else None, "it runs", 30.0))
    assert agents.tracked("dead").up
    wait_for(lambda: told(agents.look()["dead"])[1] is StateSource.PANE_TITLE, "its title is seen", 30.0)
    end_process(pid)
    wait_for(lambda: not agents.look()["dead"].up, "two looks have missed it", 30.0)
    tracked = agents.look()["dead"]
    assert told(tracked) == (AgentState.EXITED, StateSource.PROCESS)
    assert tracked.status.why == "its process has ended, and its pane is back at the shell"
    said = facts(agents, "dead")
    assert said["state"] == ["exited"]
    assert said["told by"] == ["process: its process has ended, and its pane is back at the shell"]
    titles = agents.server.cmd("list-panes", "-a", "-F", "#{window_name} #{pane_title}").stdout
    assert "dead ⠂ busy" in titles, "its title is stale"
    assert agents.look()["alive"].up


ASKS = "Do you want to proceed?\n ❯ 1. Yes\n   2. No\n\n Esc to cancel · Tab to amend"
RESTS = "─────\n❯ \n─────\n  ? for shortcuts"


def drawing(agents: PlayedAgents, name: str) -> str:
    """The script of an agent that clears its screen and draws what is written into `NAME.screen`."""
    pipe = agents.base / f"{name}.screen"
    os.mkfifo(pipe)
    return f"while :; do text=$(cat {pipe}) && printf '\\033[2J\\033[3J\\033[H%s\\n' \"$text\"; done"


def test_screens_are_read_by_default_and_never_for_the_remediator(
    tmux_server: StartTmux, socket_dir: Path
) -> None:
    agents = PlayedAgents(socket_dir.parent, tmux_server("default"), keeps=True)
    pid = agents.start("one", drawing(agents, "one"))
    agents.start("two", drawing(agents, "two"), "crush")

    def draws(text: str) -> None:
        for name in ("one", "two"):
            (agents.base / f"{name}.screen").write_text(f"● SECRET\n{text}\n")

    def seen(state: AgentState, source: StateSource, reason: WaitingReason | None = None) -> TrackedAgent:
        def look() -> TrackedAgent | None:
            tracked = agents.look().get("one")
            return (
                tracked
                if tracked and (*told(tracked), tracked.status.reason) == (state, source, reason)
                else None
            )

        return wait_for(look, f"{source} says {state}", 30.0)

    draws(ASKS)
    tracked = seen(AgentState.WAITING, StateSource.PANE_TEXT, WaitingReason.PERMISSION)
    said = facts(agents, "one")
    assert said["told by"] == ["pane_text: its text says waiting (permission)"]
    assert "SECRET" not in repr(tracked) + repr(said) + repr(agents.snapshot)
    # What the file says is stronger; but where that says idle, only the screen tells of a limit.
    agents.session_file(pid, status="busy")
    seen(AgentState.WORKING, StateSource.AGENT_FILE)
    assert not any(each.startswith("pane_text") for each in facts(agents, "one")["not decisive"])
    agents.session_file(pid, status="idle")
    seen(AgentState.IDLE, StateSource.AGENT_FILE)
    # One of another program, whose screens nobody knows, is never looked at.
    assert not any("pane_text" in each for each in facts(agents, "two")["not decisive"])
    draws(f"  ⎿  You've hit your limit · resets 3pm\n{RESTS}")
    seen(AgentState.WAITING, StateSource.PANE_TEXT, WaitingReason.USAGE_LIMIT)
    # Nobody looks for who does not want it, nor for the remediator, which distrusts the state file too.
    agents.sampler.sample()
    assert '"usage_limit"' in (agents.base / "tmux-exporter" / "agents.json").read_text()
    switched_off = Config(agents=AgentSettings(pane_text=False))
    agents.session_file(pid, status="no such status")
    quiet = Config(tmux=agents.config.tmux)
    reports = [
        open_sampler(switched_off, SystemClock(), agents.environ, screens=True).sample(),
        LiveView(quiet, SystemClock(), agents.environ).sample()[0],
    ]
    for report in reports:
        (one,) = (each for each in report.agents if each.agent == "one" and each.server == "default")
        assert one.state_source is not StateSource.PANE_TEXT
    states = [each.state for each in reports[1].agents if each.agent == "one"]
    assert states and AgentState.WAITING not in states
