"""What no throttle may hold, each decoy with the guards that spare it; pure.

A world is an agent with a tool that holds more memory than its policy allows, and the tool's worker: both are
held. Each decoy is that world with one thing else in it. Each of its guards alone would spare it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.support.literals.listings import process, table
from tests.support.literals.report import agent, pane, session
from tests.support.remediator.orders import HARMLESS
from tests.support.remediator.orphans import OWN, SERVER, WALL, Cycles, seen
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.process import Namespaces, Problem, Process, ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, Method, Mode, TargetKind
from tmux_exporter.facts.report import Report, TreeProcess
from tmux_exporter.remediator.decide import cycle, last_checks, objections, throttled, vetoes
from tmux_exporter.remediator.decide.culprit import Culprit, find_culprit
from tmux_exporter.remediator.decide.cycle import PolicyCycle
from tmux_exporter.remediator.decide.last_checks import ProcessContext, descendants, failed_check, gather
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.policies.policy import (
    Condition,
    LadderStep,
    NamePattern,
    Policy,
    Protection,
    TargetMatch,
    Throttle,
    When,
    Whom,
)

MIB = 2**20
HOLD = 30.0
HOME = Namespaces(pid="pid:[1]", mount="mnt:[1]")
POLICY = Policy(
    name="agent-memory", mode=Mode.ENFORCE, match=TargetMatch(kind=TargetKind.AGENT), whom=Whom.CULPRIT,
    when=When(
        conditions=(
            Condition(metric="tmux_agent_memory_bytes", above=4096.0 * MIB, clear_below=3584.0 * MIB),
        )
    ),
    ladder=(LadderStep(action=Action.THROTTLE, throttle=Throttle(lease=900.0, memory_high=MIB, pause=True)),),
    hold=HOLD, warmup=12.0,
    protected=Protection(
        comm=("postgres-backup",), exe=(NamePattern("/opt/*", glob=True),), agents=(NamePattern("release"),),
        sessions=(NamePattern("prod-*", glob=True),), servers=(NamePattern("shared"),),
    ),
)  # fmt: skip


def made(pid: int, parent: int, *argv: str, **changes: Any) -> Process:
    return replace(process(pid, parent, argv), namespaces=HOME, **changes)


TMUX = made(100, 1, "tmux", "new-session", comm="tmux: server")
SHELL = made(590, 100, "bash")
CLAUDE = made(600, 590, "claude")
TOOL = made(700, 600, "node", "tool.js")
WORKER = made(701, 700, "node", "worker.js")
UID = TOOL.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An agent with processes below it; `memory` is in MiB by pid, at first and once a time has passed."""

    processes: tuple[Process, ...] = (TMUX, SHELL, CLAUDE, TOOL, WORKER)
    memory: Mapping[int, float] = field(default_factory=lambda: {600: 300, 700: 4500, 701: 200})
    later: tuple[float, Mapping[int, float]] | None = None
    contexts: Mapping[int, ProcessContext] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    agent: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy = POLICY
    holds: tuple[Hold, ...] = ()
    own: frozenset[int] = OWN
    complete: bool = True
    aged: float = 0.1
    seconds: float = HOLD + 10.0

    def table(self) -> ProcessTable:
        return replace(table(*self.processes, complete=self.complete), namespaces=HOME)

    def sample(self, now: float) -> Report:
        """The report at a time, with the figures of that time."""
        memory = self.later[1] if self.later and now >= self.later[0] else self.memory
        by_pid = {each.id.pid: each for each in self.processes}
        nothing: dict[str, Any] = dict.fromkeys(
            ("resident_memory_bytes", "anonymous_memory_bytes", "swap_memory_bytes", "open_fds",
             "fd_utilization_ratio", "read_bytes_total", "written_bytes_total")
        )  # fmt: skip
        tree = tuple(
            TreeProcess(
                process=by_pid[pid].id, parent=by_pid[pid].ppid, name=by_pid[pid].comm, threads=1,
                memory_bytes=round(mib * MIB), cpu_seconds_total=0.0, **nothing,
            )
            for pid, mib in memory.items()
        )  # fmt: skip
        one = agent("default", "work", "coder", "%3", program="claude")
        usage = replace(one.usage, memory_bytes=sum(each.memory_bytes or 0 for each in tree))
        one = replace(one, pid=600, process=CLAUDE.id, usage=usage, **self.agent)
        fields: dict[str, Any] = {
            "agents": (one,),
            "sessions": (replace(session("default", "work"), attached_clients=0),),
            "panes": (replace(pane("default", "work", "%3"), pid=590),),
            "trees": {CLAUDE.id: tree},
        }
        return seen(**(fields | dict(self.report)))


def held(world: World, *, pausing: bool) -> frozenset[int]:
    """The pids that a throttle holds in a world that stays as it is."""
    cycles = Cycles(world.policy)
    cycles.own, cycles.holds = world.own, world.holds
    order = None
    while order is None and cycles.now < world.seconds:
        found = cycles.see(world.sample(cycles.now), aged=world.aged)
        taken = [each for each in found if each.action is Action.THROTTLE]
        if taken:
            (decision,) = taken
            if decision.refusal is not None:
                return frozenset()
            order = decision.order
    if order is None:
        return frozenset()
    shown = world.table()
    around = {each.id: HARMLESS for each in shown.processes.values()}
    around |= {shown.processes[pid].id: each for pid, each in world.contexts.items()}
    evidence = gather(shown, replace(order, with_below=False), around, UID, world.own)
    if evidence is None or failed_check(evidence) is not None:
        return frozenset()
    tree = (order.first, *descendants(shown, (order.first,))) if order.with_below else (order.first,)
    units = frozenset({around[order.first].unit})
    found_in_tree = throttled.members(
        shown, tree, around, order, uid=UID, own=world.own, pausing=pausing, units=units
    )
    return frozenset(each.pid for each in found_in_tree)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoy:
    """A world, the pids in it that no throttle may hold, and by which guards; of both means, or of one."""

    world: World
    guards: frozenset[str]
    spared: frozenset[int] = frozenset({600, 700, 701})
    pausing: tuple[bool, ...] = (True, False)


def _decoy(world: World, guards: str, **more: Any) -> Decoy:
    return Decoy(world=world, guards=frozenset(guards.split()), **more)


def _places(
    name: str, one: Process, context: ProcessContext = HARMLESS, *, check: str, spare: str, **world: Any
) -> Iterator[tuple[str, Decoy]]:
    """A process that must be spared as the tool that holds the memory, and as its worker."""
    as_tool, as_worker = replace(one, id=TOOL.id, ppid=600), replace(one, id=WORKER.id, ppid=700)
    above = (TMUX, SHELL, CLAUDE)
    yield (
        f"{name}, which holds it",
        _decoy(
            World(processes=(*above, as_tool, WORKER), contexts={700: context}, **world), f"{check} {spare}"
        ),
    )
    yield (
        f"{name}, below what holds it",
        _decoy(
            World(processes=(*above, TOOL, as_worker), contexts={701: context}, **world),
            spare,
            spared=frozenset({701}),
        ),
    )


IN_USE = (
    "postgres -D /data", "mysqld", "mariadbd", "redis-server *:6379", "valkey-server", "mongod", "memcached",
    "etcd", "clickhouse-server", "beam.smp", "minio server", "qdrant", "nats-server", "influxd",
    "vite --port 5173", "next-server", "webpack serve", "ng serve", "astro dev", "storybook dev",
    "flask run", "uvicorn app:app --reload", "rails server", "php -S 127.0.0.1:8000", "hugo server",
    "jupyter-lab", "streamlit run app.py", "caddy run", "nginx", "ollama serve",
    "chrome --remote-debugging-port=0",
    "dlv --headless", "mcp-server-http", "ssh-agent", "gpg-agent", "dbus-daemon", "Xvfb :99",
    "containerd-shim", "victoria-metrics",
)  # fmt: skip
"""Databases, dev servers and others at which somebody may be: each has a socket that others can reach."""

REACHABLE = HARMLESS._replace(reachable=True)
_PROCESSES: dict[str, Decoy] = {
    name: decoy
    for words in IN_USE
    for name, decoy in _places(
        words.split()[0], made(1, 1, *words.split()), REACHABLE,
        check="last_checks.are_out_of_reach", spare="throttled.is_reachable",
    )
}  # fmt: skip
for _name, _one, _check, _spare in (
    ("somebody else's build", made(1, 1, "make", uid=UID + 1), "are_of_this_user", "is_of_another_user"),
    ("a tool of root", made(1, 1, "sudo", "make", uid=0), "are_of_this_user", "is_of_another_user"),
    ("a tmux server", made(1, 1, "tmux", comm="tmux: server"), "are_no_tmux", "is_a_tmux"),
    ("a tmux client", made(1, 1, "tmux", comm="tmux: client"), "are_no_tmux", "is_a_tmux"),
    ("a tmux by its program", made(1, 1, "server", exe="/srv/tmux"), "are_no_tmux", "is_a_tmux"),
    ("what is protected by its name", made(1, 1, "postgres-backup"), "are_not_protected", "is_named"),
    ("what is protected by its program", made(1, 1, "cc1", exe="/opt/cc1"), "are_not_protected", "is_named"),
):
    _PROCESSES |= _places(_name, _one, check=f"last_checks.{_check}", spare=f"throttled.{_spare}")
for _name, _context in (("not known to be out of reach", REACHABLE._replace(reachable=None)),):
    _PROCESSES |= _places(
        _name, TOOL, _context, check="last_checks.are_out_of_reach", spare="throttled.is_reachable"
    )
for _shell in ("bash", "zsh", "dash", "sh", "fish", "ksh", "tcsh", "nu", "pwsh", "xonsh"):
    _PROCESSES[f"the user's {_shell}, below what holds it"] = _decoy(
        World(processes=(TMUX, SHELL, CLAUDE, TOOL, replace(made(1, 700, _shell), id=WORKER.id))),
        "throttled.is_shell", spared=frozenset({701}), pausing=(True,),
    )  # fmt: skip
    _PROCESSES[f"the user's {_shell}, which holds it"] = _decoy(
        World(processes=(TMUX, SHELL, CLAUDE, replace(made(1, 600, _shell), id=TOOL.id), WORKER)),
        "last_checks.is_no_shell", pausing=(False,),
    )  # fmt: skip
_PROCESSES["one whose program cannot be read"] = _decoy(
    World(processes=(TMUX, SHELL, CLAUDE, TOOL, replace(WORKER, exe=None))),
    "throttled.is_shell throttled.is_named", spared=frozenset({701}), pausing=(True,),
)  # fmt: skip
_PROCESSES["a job of a shell with a terminal"] = _decoy(
    World(
        processes=(
            TMUX, SHELL, CLAUDE, TOOL, replace(WORKER, exe="/usr/bin/bash", tty=34816, pgid=701),
            made(702, 701, "make", "-j8", tty=34816, pgid=702),
        ),
    ),
    "throttled.is_job", spared=frozenset({702}), pausing=(True,),
)  # fmt: skip
for _name, _namespaces in {
    "a container": Namespaces(pid="pid:[2]", mount="mnt:[2]"),
    "a sandbox with files of its own": Namespaces(pid="pid:[1]", mount="mnt:[2]"),
    "a pid namespace of its own": Namespaces(pid="pid:[2]", mount="mnt:[1]"),
    "an unknown namespace": None,
}.items():
    _PROCESSES[f"what lives in {_name}"] = _decoy(
        World(processes=(TMUX, SHELL, CLAUDE, replace(TOOL, namespaces=_namespaces), WORKER)),
        "last_checks.are_at_home",
    )  # fmt: skip
_PROCESSES["a service of systemd"] = _decoy(
    World(
        contexts={700: HARMLESS._replace(unit="build.service"), 701: HARMLESS._replace(unit="build.service")}
    ),
    "last_checks.are_no_service",
)
_PROCESSES["what may be a service"] = _decoy(
    World(contexts={700: HARMLESS._replace(unit=None), 701: HARMLESS._replace(unit=None)}),
    "last_checks.are_no_service last_checks.hold_no_server",
)
_PROCESSES["what leads the service of a tmux server"] = _decoy(
    World(
        processes=(replace(TMUX, id=ProcessId(100, 3_000)), SHELL, CLAUDE, TOOL, WORKER),
        contexts={pid: HARMLESS._replace(unit="agents.service") for pid in (100, 700, 701)},
    ),
    "last_checks.hold_no_server",
)
_PROCESSES["what systemd bounds in a scope of its own"] = _decoy(
    World(contexts={701: HARMLESS._replace(unit="run-r1.scope")}),
    "throttled.is_elsewhere", spared=frozenset({701}), pausing=(False,),
)  # fmt: skip
_PROCESSES["the remediator, which the tool has started"] = _decoy(
    World(own=OWN | {701}), "throttled.is_above_us", spared=frozenset({701})
)
_PROCESSES["the tool that has started the remediator"] = _decoy(
    World(own=OWN | {700}), "last_checks.are_not_above_us throttled.is_above_us"
)
_PROCESSES["the agent that has started the remediator"] = _decoy(
    World(own=OWN | {600}), "vetoes.is_not_above_us"
)
_PROCESSES["what was listed in part"] = _decoy(World(complete=False), "last_checks.lists_every_child")

ALONE = {600: 4500.0, 700: 100.0, 701: 50.0}
_AGENTS: dict[str, Decoy] = {
    f"{name}, which holds it itself": _decoy(
        World(memory=ALONE, agent=changes), guards, spared=frozenset({600}), pausing=pausing
    )
    for name, changes, guards, pausing in (
        ("an agent at work", {}, "throttled.is_main", (True,)),
        ("an agent that is idle", {"state": AgentState.IDLE}, "throttled.is_main", (True,)),
        ("an agent that waits for a person", {"state": AgentState.WAITING}, "waits", (False,)),
    )
}

SESSION = replace(session("default", "work"), attached_clients=0)
PANE = replace(pane("default", "work", "%3"), pid=590)
FOR_EVER = 10.0**10


def _sessions(**changes: Any) -> dict[str, Any]:
    return {"sessions": (replace(SESSION, **changes),)}


def _servers(**changes: Any) -> dict[str, Any]:
    return {"servers": (replace(SERVER, **changes),)}


_REPORTS: dict[str, Decoy] = {
    name: _decoy(World(report=report), guards)
    for name, report, guards in (
        ("what is in an attached session", _sessions(attached_clients=1), "vetoes.is_not_attended"),
        ("what is in a session with two clients", _sessions(attached_clients=2), "vetoes.is_not_attended"),
        ("what is in a session that is not known", {"sessions": ()}, "vetoes.is_not_attended"),
        ("what a blind sample shows", {"collector_success": {"processes": False}},
         "vetoes.sees_all_processes"),
        ("what no collector has seen", {"collector_success": {}}, "vetoes.sees_all_processes"),
        ("what is on a server that is down", _servers(up=False), "vetoes.sees_its_servers"),
        ("what is on a server that is held", _servers(up=False, held=True), "vetoes.sees_its_servers"),
        ("what is on a server that hangs", _servers(problem=Problem(source="tmux", reason="hung")),
         "vetoes.sees_its_servers"),
        ("what is on a server that has just started", _servers(start_time_seconds=WALL + 1_000),
         "vetoes.is_settled"),
        ("what is on a server of unknown age", _servers(start_time_seconds=None), "vetoes.is_settled"),
        ("a tmux server that counts as an agent", _servers(pid=600), "vetoes.is_no_known_server"),
        ("what is in a protected pane", {"panes": (replace(PANE, protected=True),)}, "protection"),
    )
}  # fmt: skip
_REPORTS["what was listed too long ago"] = _decoy(World(aged=31.0), "vetoes.is_recent")
_REPORTS["the first process of a pane, which holds it"] = _decoy(
    World(memory=ALONE, report={"panes": (replace(PANE, pid=600),)}),
    "vetoes.is_no_pane", spared=frozenset({600}), pausing=(False,),
)  # fmt: skip
_HOLDS = {
    "everything": Hold(until=FOR_EVER),
    "its agent's process": Hold(until=FOR_EVER, process=CLAUDE.id),
    "its session": Hold(until=FOR_EVER, server="default", session="work"),
    "its agent's name": Hold(until=FOR_EVER, server="default", session="work", agent="coder"),
    "its server": Hold(until=FOR_EVER, server="default"),
    "its pane": Hold(until=FOR_EVER, pane="%3"),
}
_REPORTS |= {
    f"what a person holds by {name}": _decoy(World(holds=(hold,)), "protection")
    for name, hold in _HOLDS.items()
}
_PROTECTED = {
    "session": Protection(sessions=(NamePattern("work"),)),
    "sessions of that kind": Protection(sessions=(NamePattern("w*", glob=True),)),
    "server": Protection(servers=(NamePattern("default"),)),
    "agent": Protection(agents=(NamePattern("coder"),)),
}
_REPORTS |= {
    f"what a policy file protects by its {name}": _decoy(
        World(policy=replace(POLICY, protected=protected)), "protection"
    )
    for name, protected in _PROTECTED.items()
}

BUILD = tuple(made(710 + each, 700, "cc1plus") for each in range(8))
TREE = (TMUX, SHELL, CLAUDE, TOOL, *BUILD)
OTHER_BUILD = made(720, 600, "cargo", "build")


def _built(mib: float) -> dict[int, float]:
    return {600: 300.0, 700: 20.0, **dict.fromkeys((each.id.pid for each in BUILD), mib)}


_PIDS = frozenset({600, 700, *(each.id.pid for each in BUILD)})
_WORK: dict[str, Decoy] = {
    name: _decoy(world, guards, spared=_PIDS | {701})
    for name, world, guards in (
        ("a build within the bound", World(processes=TREE, memory=_built(400)), "bound"),
        ("a test run within the bound", World(memory={600: 300, 700: 3000, 701: 700}), "bound"),
        ("a watcher within the bound", World(memory={600: 300, 700: 1500}), "bound"),
        ("a link that is over in time",
         World(processes=TREE, memory=_built(600), later=(20.0, _built(50))), "hold"),
        ("a test run that peaks", World(later=(15.0, {600: 300, 700: 50, 701: 10})), "hold"),
        ("a build that has just begun to hold it", World(
            processes=(*TREE, OTHER_BUILD), memory={**_built(0), 720: 4500},
            later=(15.0, _built(600)), seconds=HOLD + 5.0), "since"),
        ("two builds that hold half of it each", World(
            processes=(TMUX, SHELL, CLAUDE, TOOL, OTHER_BUILD), memory={600: 300, 700: 2400, 720: 2400}),
         "culprit"),
        ("a build beside an agent that is too large itself",
         World(processes=TREE, memory=_built(1200) | {600: 4200.0}), "culprit"),
        ("a fleet of which everybody is above the bound",
         World(policy=replace(POLICY, max_match=0)), "too_many"),
        ("what is seen right after a start", World(seconds=6.0, policy=replace(POLICY, hold=0.0)),
         "warmup"),
    )
}  # fmt: skip

DECOYS: Mapping[str, Decoy] = {**_PROCESSES, **_AGENTS, **_REPORTS, **_WORK}

Mutant = Callable[[pytest.MonkeyPatch, World], World]


def _rule(row: Any) -> str:
    """The name of the function of a row."""
    return str((getattr(row, "allows", None) or getattr(row, "holds", None) or row).__name__)


def _without(place: Any, name: str, rule: str) -> Mutant:
    def mutant(patch: pytest.MonkeyPatch, world: World) -> World:
        kept = tuple(each for each in getattr(place, name) if _rule(each) != rule)
        patch.setattr(place, name, kept)
        if rule in _VIEWS:
            # What is no complete look is no observation either: that is held by its own test.
            patch.setattr(cycle, "INCOMPLETE_VIEW", frozenset())
        return world

    return mutant


_VIEWS = ("sees_all_processes", "sees_its_servers", "is_recent")


def _patched(place: Any, name: str, value: Any) -> Mutant:
    def mutant(patch: pytest.MonkeyPatch, world: World) -> World:
        patch.setattr(place, name, value)
        return world

    return mutant


def _changed(**changes: Any) -> Mutant:
    return lambda _, world: replace(world, policy=replace(world.policy, **changes))


def _or_the_tool(*about: Any) -> Culprit:
    return find_culprit(*about) or Culprit(process=TOOL.id, name="tool", itself=False, holdings=())


_OF_OTHERS = (
    *("is_endable", "is_proven", "has_its_sleep", "has_time", "is_unused", "carries_nobody"),
    "has_quota",
)
"""Vetoes of schedulers and leaked processes, of what ends with all below it, and of policies of idling."""

_LOWER = Condition(metric="tmux_agent_memory_bytes", above=1000.0 * MIB, clear_below=1000.0 * MIB)

GUARDS: Mapping[str, Mutant] = {
    **{
        f"{place.__name__.rpartition('.')[2]}.{_rule(row)}": _without(place, name, _rule(row))
        for place, name in (
            (vetoes, "VETOES"), (last_checks, "LAST_CHECKS"), (throttled, "SPARED"),
            (throttled, "SPARED_BY_A_PAUSE"), (throttled, "SPARED_BY_A_SCOPE"),
        )
        for row in getattr(place, name)
        if Method.AGENT_PROCESS in getattr(row, "methods", Method) and _rule(row) not in _OF_OTHERS
    },
    "protection": _patched(objections, "protection_refusal", lambda *_: None),
    "bound": _changed(when=When(conditions=(_LOWER,))),
    "hold": _changed(hold=0.0),
    "warmup": _changed(warmup=0.0),
    "culprit": _patched(cycle, "find_culprit", _or_the_tool),
    "since": _patched(PolicyCycle, "_lacks_culprit", lambda *_: False),
    "too_many": _patched(PolicyCycle, "_too_many", lambda _: False),
    "waits": _patched(cycle, "waits_itself", lambda *_: False),
}  # fmt: skip
"""Every guard that can spare something from a throttle of an agent, taken away."""


def is_held(decoy: Decoy, *removed: str) -> bool:
    """Whether a throttle holds something of a decoy, without these guards."""
    for pausing in decoy.pausing:
        with pytest.MonkeyPatch.context() as patch:
            world = decoy.world
            for each in removed:
                world = GUARDS[each](patch, world)
            if decoy.spared & held(world, pausing=pausing):
                return True
    return False
