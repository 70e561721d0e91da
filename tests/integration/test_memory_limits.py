"""Limits of real sessions: real processes in their real cgroups, whose limit files the test writes."""

import os
from pathlib import Path

import psutil

from tests.support.fixtures import StartTmux
from tests.support.literals.scripted import sampler_of
from tests.support.processes.started import server_pid
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import AgentSettings, Config, LimitSettings, SignatureConfig
from tmux_exporter.sources.host.memory_limits import LimitReader, parse_memory_cgroup
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.tmux.source import TmuxSource

MIB = 2**20


def limits(config: Config, cgroup_root: Path, server: int) -> dict[str, int | None]:
    """The memory limit of each session and, by `session agent`, each agent of this server in one sample."""
    clock = SystemClock()
    sampler = sampler_of(
        ProcReader(uid=os.getuid(), clock=clock),
        TmuxSource(config.tmux, uid=os.getuid(), clock=clock, environ=os.environ),
        clock=clock,
        config=config,
        limits=LimitReader(clock=clock, cgroup_root=str(cgroup_root)),
    )
    report = sampler.sample()
    (label,) = (each.server for each in report.servers if each.pid == server)
    of_sessions = {each.session: each.usage for each in report.sessions if each.server == label}
    of_agents = {f"{each.session} agent": each.usage for each in report.agents if each.server == label}
    return {name: usage.memory_limit_bytes for name, usage in (of_sessions | of_agents).items()}


def test_a_session_is_bound_by_host_cgroup_and_configuration(tmp_path: Path, tmux_server: StartTmux) -> None:
    server = tmux_server("bounded")
    pid = server_pid(server)
    server.cmd("new-session", "-d", "-s", "other", "sleep 3600")
    total = psutil.virtual_memory().total
    assert limits(Config(), tmp_path, pid) == {"main": total, "other": total}

    pane = int(server.cmd("list-panes", "-t", "main", "-F", "#{pane_pid}").stdout[0])
    cgroup = parse_memory_cgroup(Path(f"/proc/{pane}/cgroup").read_bytes())
    assert cgroup is not None
    folder = tmp_path.joinpath(*cgroup)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{512 * MIB}\n")
    assert limits(Config(), tmp_path, pid)["main"] == 512 * MIB

    assert limits(Config(limits=LimitSettings(session_memory=256 * MIB)), tmp_path, pid)["main"] == 256 * MIB


def test_an_agent_is_bound_by_its_own_limit_and_its_session_s(tmp_path: Path, tmux_server: StartTmux) -> None:
    server = tmux_server("agents")
    pid, pane = server_pid(server), server.cmd("list-panes", "-F", "#{pane_pid}").stdout[0]
    wait_for(lambda: Path(f"/proc/{pane}/comm").read_text() == "sleep\n", "the agent runs")
    agents = AgentSettings(signatures=(SignatureConfig(program="sleeper", argv0=("sleep",)),))
    own = Config(agents=agents, limits=LimitSettings(session_memory=256 * MIB, agent_memory=128 * MIB))
    assert limits(own, tmp_path, pid) == {"main": 256 * MIB, "main agent": 128 * MIB}
    shared = Config(agents=agents, limits=LimitSettings(session_memory=256 * MIB))
    assert limits(shared, tmp_path, pid)["main agent"] == 256 * MIB
