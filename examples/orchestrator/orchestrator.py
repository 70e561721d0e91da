"""A small orchestrator in the style of Tmux-Orchestrator: two agents, all five classes of operations.

Run it inside tmux, beside `tmux-exporter up`: `python examples/orchestrator/orchestrator.py --rounds 3`. For
each operation it prints the class, whether it succeeded and how long it took as seen from here.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tmux_exporter.instrument import operation

HERE = Path(__file__).resolve().parent
AGENT = ["bash", str(HERE / "agent.sh")]
PATIENCE = 20.0


def tmux(*words: str) -> str:
    """What tmux answers. Raises subprocess.CalledProcessError."""
    return subprocess.run(["tmux", *words], check=True, capture_output=True, text=True).stdout


def script(*words: str, under: tuple[str, ...] = ()) -> None:
    """Run one of the scripts beside this file. Raises subprocess.CalledProcessError."""
    subprocess.run([*under, str(HERE / words[0]), *words[1:]], check=True, stdout=subprocess.DEVNULL)


def wait_until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError
        time.sleep(0.05)


@contextmanager
def told(name: str) -> Iterator[None]:
    """Print one line about what is done within."""
    began = time.monotonic()
    try:
        yield
    except Exception:
        print(name, "failed", f"{time.monotonic() - began:.6f}", flush=True)
    else:
        print(name, "ok", f"{time.monotonic() - began:.6f}", flush=True)


class Team:
    """A session with a window per agent."""

    def __init__(self, session: str, agents: tuple[str, ...]) -> None:
        self.session = session
        self.agents = agents
        tmux("new-session", "-d", "-s", session, "-n", agents[0], "--", *AGENT)
        for agent in agents[1:]:
            tmux("new-window", "-d", "-t", f"={session}:", "-n", agent, "--", *AGENT)
        for agent in agents:
            # A pane whose agent has ended stays, so that it can be started again there.
            tmux("set-option", "-w", "-t", f"={self.target(agent)}", "remain-on-exit", "on")

    def target(self, agent: str) -> str:
        """Its window, for the scripts."""
        return f"{self.session}:={agent}"

    @operation("agent_command")
    def command(self, agent: str, prompt: str) -> None:
        """Give an agent a prompt, and wait until it has answered it."""
        tmux("send-keys", "-t", f"={self.target(agent)}", prompt, "Enter")
        wait_until(lambda: f"done: {prompt}" in self.screen(agent))

    @operation("status_check")
    def check(self, agent: str) -> None:
        """Raises RuntimeError for an agent that has ended."""
        if self.has_ended(agent):
            raise RuntimeError(f"{agent} has ended")

    def has_ended(self, agent: str) -> bool:
        """Whether its pane has nothing running in it."""
        return tmux("display-message", "-p", "-t", f"={self.target(agent)}", "#{pane_dead}").strip() == "1"

    def screen(self, agent: str) -> str:
        """What its pane shows."""
        return tmux("capture-pane", "-p", "-t", f"={self.target(agent)}")

    def recover(self, agent: str) -> None:
        """Start it again, with a second try if need be."""
        script(
            "restart-agent.sh",
            self.target(agent),
            *AGENT,
            under=("tmux-exporter", "op", "recovery", "--retry", "1", "--"),
        )


def run(team: Team, rounds: int) -> None:
    """Work for some rounds, then lose an agent and bring it back."""
    first, second = team.agents
    for number in range(rounds):
        with told("agent_command"):
            team.command(first, f"task {number}")
        with told("status_check"):
            team.check(first)
        with told("inter_agent_message"):
            script("send-claude-message.sh", team.target(second), f"review task {number}")
        with told("scheduling"):
            script("schedule_with_note.sh", "1", f"check in {number}", team.target(first))
    tmux("send-keys", "-t", f"={team.target(second)}", "", "exit", "Enter")
    wait_until(lambda: team.has_ended(second))
    with told("status_check"):
        team.check(second)
    with told("recovery"):
        team.recover(second)
    with told("status_check"):
        team.check(second)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--session", default="team", help="name of the session to make (default: team)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default: 3)")
    options = parser.parse_args()
    team = Team(options.session, ("engineer", "reviewer"))
    try:
        run(team, options.rounds)
        # The last scheduler still has to send its keys.
        time.sleep(1.5)
    finally:
        tmux("kill-session", "-t", f"={options.session}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
