"""The zoo at work: everything started at once, three looks taken, judged as often as one likes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.processes.started import end_process, is_gone, listens
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for
from tests.support.zoo import programs
from tests.support.zoo.decoys import DECOYS, LEFT, MARKER_OF_ONE_OUTSIDE, SERVERS, Where
from tests.support.zoo.guards import GUARDS, WORKTREES
from tmux_exporter.analysis.leaks.exemptions import _MARKERS
from tmux_exporter.analysis.leaks.find import LeakFinder, LeakSample, find_orphans
from tmux_exporter.analysis.leaks.terminals import Terminals
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.leaks import Leak
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import LeakDetails, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView
from tmux_exporter.sources.processes.leak_details import LeakDetailReader

MANY = 30.0

_NAMES = [*(each.name for each in DECOYS), *(each.name for each in LEFT)]
_COMMANDS = [*(each.command for each in DECOYS), *(each.command for each in LEFT)]
_LATE = [each.name for each in DECOYS if each.where is Where.LATE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at everything."""

    table: ProcessTable
    view: TmuxView
    leak_details: Mapping[ProcessId, LeakDetails]
    now: float


class Zoo:
    """All decoys and all true leaks in one scene, on the servers `default` and `hung` and some nested ones.

    `missing` are the decoys that this machine cannot have.
    """

    def __init__(self, scene: Scene, sockets: Path) -> None:
        self.scene = scene
        self.base = scene.base
        self.pids: dict[str, int] = {}
        self.missing: set[str] = set()
        self.seen: list[Seen] = []
        self._sockets = sockets
        self._tmux_program = shutil.which("tmux")
        self._children: list[subprocess.Popen[bytes]] = []
        self._prologue = programs.prologue(sockets, _MARKERS)
        self._leak_details = LeakDetailReader(clock=SystemClock())
        self._server: ProcessId
        self._hung: ProcessId
        self.gone = ""

    def start(self) -> None:
        """Start everything and take the three looks: all is there, the pane is gone, and a moment later."""
        programs.make(self.base, [*_COMMANDS, "$B/bin/tmux-exporter"])
        before = self._start_servers()
        self.gone = self._pane(Where.GONE, "", *(each.command for each in LEFT))
        self._pane(Where.LIVE, f"GONE={self.gone}\n")
        self._start_nested()
        self._start_apart(before)
        self._await(name for name in _NAMES if name not in _LATE)
        # What a process listens on is looked at once a minute, and is what makes a server of it.
        wait_for(partial(listens, self.pids["left_dev_server"]), "left_dev_server listens", MANY)
        self._look()
        os.kill(self.pids["zombie"], signal.SIGKILL)
        late = self._pane(Where.LATE, "", server="hung")
        self.pids["shell_of_a_hung_server"] = self.scene.root(late, server="hung")
        self._await(_LATE)
        os.kill(self._hung.pid, signal.SIGSTOP)
        (self._sockets / "lost").unlink()
        root = self.scene.root(self.gone)
        self.scene.tmux("kill-pane", "-t", self.gone)
        wait_for(lambda: not Path(f"/proc/{root}").exists(), "the pane's process is reaped", MANY)
        self._look()
        for name, fifo in (("ending_agent", "ending"), ("ending_daemon", "ending2")):
            (self.base / fifo).write_text("\n")
            wait_for(partial(is_gone, self.pids[name]), f"{name} ends", MANY)
        self._look()

    def close(self) -> None:
        """End everything."""
        self.scene.close()
        for child in self._children:
            end_process(child.pid)
            child.wait()

    def leaks(self, *removed: str) -> list[list[Leak]]:
        """The leaks of each look, judged anew without these guards."""
        with pytest.MonkeyPatch.context() as patch:
            for name in removed:
                GUARDS[name](patch)
            return self._judge()

    def red(self, *removed: str) -> set[str]:
        """The decoys of which something is called leaked at any look, without these guards."""
        leaked = {leak.process.pid for leaks in self.leaks(*removed) for leak in leaks}
        return {name for name, pids in self.families().items() if not leaked.isdisjoint(pids)}

    def families(self) -> dict[str, set[int]]:
        """All processes of each decoy: itself and what descends from it, as the looks have seen it.

        What a tmux server runs is a decoy of its own, or none.
        """
        found = {each.name: {self.pids[each.name]} for each in DECOYS if each.name not in self.missing}
        children: dict[int, set[int]] = {}
        for seen in self.seen:
            for pid, process in seen.table.processes.items():
                children.setdefault(process.ppid, set()).add(pid)
        for name, family in found.items():
            waiting = [] if name in SERVERS else list(family)
            while waiting:
                below = children.get(waiting.pop(), set()) - family
                family.update(below)
                waiting += below
        return found

    def _judge(self) -> list[list[Leak]]:
        book = LeakFinder()
        owners: Mapping[ProcessId, Owner] = {}
        found: list[list[Leak]] = []
        units = {self.pids[each.name]: each.unit for each in DECOYS if each.unit}
        for seen in self.seen:
            table = self._as_shown(seen.table)
            memory = {**owners, **self._planted()} if not found else owners
            owners = attribute(table, seen.view, memory)
            labels = {
                (view.listing.server, session.id): session.name
                for view in seen.view.servers
                if view.listing
                for session in view.listing.sessions
            }
            book.observe(seen.view, labels)
            outlived = find_orphans(table, owners)
            default = str(self._sockets / "default")
            terminals = Terminals(outlived.processes, seen.leak_details, table, owners)
            look = LeakSample(
                table=table,
                owners=owners,
                orphans=outlived,
                schedulers=find_schedulers(table, owners, seen.view, default, seen.now),
                signatures=SIGNATURES,
                # Nobody needs systemd to run the tests; what it would say of these is said here.
                leak_details={
                    each: replace(facts, unit=units.get(each.pid, facts.unit))
                    for each, facts in seen.leak_details.items()
                },
                other_holders={
                    each: facts.descriptors if (facts := seen.leak_details.get(each)) else None
                    for each in terminals.possible_holders()
                },
            )
            found.append(list(book.find(look).found))
        return found

    def _planted(self) -> dict[ProcessId, Owner]:
        """What is remembered of those who had these pids before."""
        owner = Owner(
            kind=OwnerKind.PANE,
            evidence=Evidence.TREE,
            reason="was in the pane",
            server=self._server,
            pane=PaneKey(self._server, self.gone),
        )
        processes = self.seen[0].table.processes
        bearers = (self.pids["bearer_of_a_known_pid"], self.pids["another_bearer_of_a_known_pid"])
        return {ProcessId(pid, processes[pid].id.start_ticks - 1): owner for pid in bearers}

    def _start_servers(self) -> int:
        """Both servers; the pid of the one that was there before on the same path."""
        waits = '{ read t; read p; } <"$0"; TMUX=$t TMUX_PANE=$p exec sleep 3000'
        self._start("older_than_its_server", "sh", "-c", waits, str(self.base / "age"))
        before = self.scene.start()
        self.scene.shell(self._prologue + "spawn of_the_server_before sleep 3000")
        self.scene.pid("of_the_server_before.pid")
        os.kill(before.pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{before.pid}").exists(), "the first server is reaped", MANY)
        self._server = self.scene.start()
        self._hung = self.scene.start("hung")
        return before.pid

    def _pane(self, where: Where, head: str, *more: str, server: str = "default") -> str:
        lines = [each.command for each in DECOYS if each.where is where and each.command]
        return self.scene.shell(
            "\n".join([self._prologue + head, *lines, *more]),
            "-t",
            "main:",
            server=server,
        )

    def _as_shown(self, table: ProcessTable) -> ProcessTable:
        """What an ordinary user sees: root can look into a process that lets nobody look in."""
        pid = self.pids["unreadable"]
        if (closed := table.processes.get(pid)) is None:
            return table
        return replace(table, processes={**table.processes, pid: replace(closed, exe=None, environ=None)})

    def _start_nested(self) -> None:
        """Servers that come from the pane that will be gone, with its id in their environment."""
        variables = {"TMUX": self._tmux(self._server.pid), "TMUX_PANE": self.gone}
        for name, program, options in (
            ("nested_server", "tmux", ("-S", str(self._sockets / "nested"))),
            ("swarm_server", "tmux", ("-L", "claude-swarm-4711")),
            ("server_without_socket", "tmux", ("-S", str(self._sockets / "lost"))),
            ("server_by_another_name", "a-long-name-for-a-server", ("-S", str(self._sockets / "named"))),
        ):
            command = [program, "-f", "/dev/null", *options, "new-session", "-d", "sleep 3000"]
            self._run(command, variables, self._tmux_program)
            self.pids[name] = int(self._run(["tmux", *options, "display-message", "-p", "#{pid}"], {}))

    def _start_apart(self, before: int) -> None:
        inner, outer = self._sockets / "nested", self._sockets / "default"
        tell = "echo $$ >{base}/{name}.pid; {change}exec sleep 3000"
        pane = f"export TMUX_PANE={self.gone}; "
        own = f"export TMUX={self._tmux(self._server.pid)}; {pane}"
        for name, socket, change in (("job", outer, pane), ("nested_job", inner, "")):
            line = tell.format(base=self.base, name=name, change=change)
            self.scene.tmux("run-shell", "-b", line, server=socket.name)
        orphan = tell.format(base=self.base, name="nested_job_orphan", change="").replace("$$", "\\$\\$")
        self.scene.tmux("run-shell", "-b", f'setsid -f sh -c "{orphan}" >/dev/null 2>&1', server="nested")
        piped = tell.format(base=self.base, name="pipe_job", change=own)
        self.scene.tmux("pipe-pane", "-t", "main:0", piped)
        server = self._server.pid
        for name, tmux, named in (
            ("forged_dead_pid", self._tmux(before), self.gone),
            ("forged_other_pid", self._tmux(os.getpid()), self.gone),
            ("pane_without_server", None, self.gone),
            ("garbage_for_server", "default", self.gone),
            ("of_another_socket", f"/elsewhere/team,{server},0", self.gone),
            ("of_another_socket_folder", f"/run/x/agents.sock,{server},0", self.gone),
            ("garbage_for_pane", self._tmux(server), "pane one"),
            ("number_for_pane", self._tmux(server), self.gone[1:]),
            ("bearer_of_a_known_pid", None, None),
            ("another_bearer_of_a_known_pid", None, None),
        ):
            variables = {"TMUX": tmux, "TMUX_PANE": named}
            self._start(name, "sleep", "3000", environ={key: text for key, text in variables.items() if text})
        # Younger than the agent whose marker it has.
        self.scene.pid("marked_with_one_outside.pid")
        self._start("marked_outside_of_tmux", "sleep", "3000", environ=MARKER_OF_ONE_OUTSIDE)
        self._start_in_worktrees()
        with (self.base / "age").open("w") as fifo:
            fifo.write(f"{self._tmux(server)}\n{self.gone}\n")
        at = self.base / "in_a_container.pid"
        command = [sys.executable, str(self.base / "container.py"), str(at)]
        quiet = subprocess.DEVNULL
        environ = {**self._environ(), "TMUX": self._tmux(server), "TMUX_PANE": self.gone}
        subprocess.run(command, env=environ, check=True, timeout=MANY, stdout=quiet)
        if at.read_text() == "0":
            at.unlink()
            self.missing.add("in_a_container")

    def _start_in_worktrees(self) -> None:
        """By hand, in a folder in which a session works and in one that is taken away then."""
        worktree, removed = (self.base / WORKTREES / name for name in ("login", "logout"))
        for folder in (worktree, removed):
            folder.mkdir(parents=True)
        for name, folder, *command in (
            ("editor_in_a_worktree", worktree, str(self.base / "bin" / "vim"), "3000"),
            ("dev_server_in_a_worktree", worktree, sys.executable, str(self.base / "listen.py")),
            ("agent_in_a_worktree", worktree, str(self.base / "sh" / "claude"), "-c", "sleep 3000; :"),
            ("daemon_of_a_removed_worktree", removed, str(self.base / "bin" / "esbuild"), "3000"),
        ):
            self._start(name, *command, cwd=folder)
            wait_for(partial(_is_in, self.pids[name], folder), f"{name} is in its folder", MANY)
        removed.rmdir()

    def _start(
        self, name: str, *command: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """A child of the test, as something that tmux has nothing to do with would start it."""
        child = subprocess.Popen(
            command, cwd=cwd, env={**self._environ(), **(environ or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._children.append(child)
        self.pids[name] = child.pid

    def _run(
        self, command: Sequence[str], variables: Mapping[str, str], executable: str | None = None
    ) -> str:
        done = subprocess.run(
            command, executable=executable, env={**self._environ(), **variables}, check=True, timeout=MANY,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout

    def _environ(self) -> dict[str, str]:
        return {name: text for name, text in os.environ.items() if name not in _MARKERS}

    def _tmux(self, pid: int) -> str:
        return f"{self._sockets / 'default'},{pid},0"

    def _await(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.pids and name not in self.missing:
                self.pids[name] = self.scene.pid(f"{name}.pid")

    def _look(self) -> None:
        self.scene.look()
        table = self.scene.table
        self.seen.append(
            Seen(
                table=table,
                view=self.scene.view,
                leak_details=self._leak_details.read(each.id for each in table.processes.values()),
                now=self.scene.clock.time(),
            )
        )


def _is_in(pid: int, folder: Path) -> bool:
    return os.readlink(f"/proc/{pid}/cwd") == str(folder)
