"""What is run: one row a workload."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bench.exactness import shapes


class Figure(StrEnum):
    """What is compared, by the name of the metric after `tmux_session_`."""

    CPU = "cpu_seconds_total"
    MEMORY = "memory_bytes"
    FDS = "open_fds"
    WRITTEN = "written_bytes_total"


class Group(StrEnum):
    """Workloads with one goal."""

    WAITED = "a parent waits"
    MOVED = "panes are moved and renamed"
    ORPHANS = "orphans that live a second or more"
    SHORT_ORPHANS = "orphans that live shorter"
    MEMORY = "memory"
    FDS = "file descriptors"
    IO = "bytes written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A shell script that a pane runs in a folder of its own (`$B`); `$PY` is a bare Python.

    `needs`: programs without which it is left out. `moves`: tmux commands while it runs, a second apart;
    `{pane}` is its pane, `{name}` its session; `{name}-b` is there too, and a second window in both.
    A number `@N@` in the script is an amount of work.
    """

    name: str
    group: Group
    figure: Figure
    what: str
    script: str
    needs: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()

    def scaled(self, work: float) -> str:
        """The script with so much of the work: a slow machine needs less for the same time."""
        return _AMOUNT.sub(lambda found: str(max(1, round(int(found[1]) * work))), self.script)


_AMOUNT = re.compile(r"@(\d+)@")


def _cpu(name: str, what: str, script: str, *needs: str, group: Group = Group.WAITED) -> Workload:
    return Workload(name=name, group=group, figure=Figure.CPU, what=what, script=script, needs=needs)


def _orphans(name: str, what: str, script: str, *, short: bool) -> Workload:
    return _cpu(name, what, script, group=Group.SHORT_ORPHANS if short else Group.ORPHANS)


def _moved(name: str, what: str, *moves: str) -> Workload:
    script = f"{_burn(60_000_000)} & wait"
    return Workload(name=name, group=Group.MOVED, figure=Figure.CPU, what=what, script=script, moves=moves)


def _shape(name: str, group: Group, figure: Figure, what: str, *needs: str) -> Workload:
    assert name in shapes.SHAPES
    script = f"$PY {shapes.__file__} {name} $B & while [ ! -e $B/ready ]; do sleep 0.2; done"
    return Workload(name=name, group=group, figure=figure, what=what, script=script, needs=needs)


def _memory(name: str, what: str) -> Workload:
    return _shape(name, Group.MEMORY, Figure.MEMORY, what)


_TIMES = "i=0; while [ $i -lt {count} ]; do i=$((i+1)); {do}\ndone"


def _times(count: int, do: str) -> str:
    """A loop; what has an amount of its own is done as often on every machine."""
    return _TIMES.format(count=count if _AMOUNT.search(do) else f"@{count}@", do=do)


_COUNT = "for i in range(@{count}@): i*i"


def _burn(count: int) -> str:
    """A Python that counts: about 40 ms for each million."""
    return f"$PY -c '{_COUNT.format(count=count)}'"


_PACKAGE = '{"scripts": {"test": "node -e 0"}}'
_COMMIT = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m a"
_C_FILES = _times(300, 'echo "int f$i(int x) { return x * $i; }" >$i.c')
_MAKEFILE = "all: $(patsubst %.c,%.o,$(wildcard *.c))"
_THREADS = """
import threading
for _ in range(8):
    threading.Thread(target=lambda: [i*i for i in range(@9000000@)]).start()
"""
_POOL = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(4) as pool:
    pool.map(sum, [range(@16000000@)] * 24)
"""
_SUBREAPER = """
import ctypes, os
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
for _ in range(150):
    if os.fork() == 0:
        if os.fork() == 0:
            sum(i*i for i in range(@600000@))
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
_IGNORED = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(30):
    if os.fork() == 0:
        sum(i*i for i in range(@900000@))
        os._exit(0)
    time.sleep(0.2)
"""
_STAYS = f"{_COUNT.format(count=30_000_000)}\nimport time; time.sleep(100000)"
# The shell learns when the work is done; timeout is told to end it as by its own alarm.
_WORK = f"{_COUNT.format(count=8_000_000)}\nimport os, sys, time"
_SAYS = f"$PY -c '{_WORK}; open(sys.argv[1], \"w\"); time.sleep(100000)' $B/said"
_IN_TIME = f"$PY -c '{_WORK}; os.kill(os.getppid(), 14); time.sleep(100000)'"

WORKLOADS = (
    _cpu(
        "make",
        "make -j4 with 300 C files",
        f"cd $B; {_C_FILES}; echo '{_MAKEFILE}' >Makefile; make -s -j4",
        *("make", "cc"),
    ),
    _cpu(
        "npm",
        "npm test, 15 times",
        f"cd $B; echo '{_PACKAGE}' >package.json; {_times(15, 'npm test >/dev/null 2>&1')}",
        *("node", "npm"),
    ),
    _cpu("node", "node, 40 times", _times(40, "node -e 'for (let i = 0; i < 2e6; i++);'"), "node"),
    _cpu(
        "git",
        "git status and git log, 1,200 times",
        f"cd $B; git init -q; {_COMMIT}; {_times(1200, 'git status >/dev/null; git log >/dev/null')}",
        "git",
    ),
    _cpu("ripgrep", "ripgrep over a tree", _times(30, "rg -c e /usr/share/doc >/dev/null"), "rg"),
    _cpu("grep", "grep over a tree", _times(80, "grep -r import /usr/lib/python3 >/dev/null")),
    _cpu("true", "/bin/true, 6,000 times", _times(6000, "/bin/true")),
    _cpu("python", "a Python of 50 ms, 60 times", _times(60, _burn(1_000_000))),
    _cpu(
        "pipelines",
        "pipelines of short programs",
        _times(500, "ls -lR /usr/share/perl5 | sort | md5sum >/dev/null"),
    ),
    _cpu("xargs", "xargs -P4 with 4,000 programs", "seq @4000@ | xargs -P4 -n1 /bin/true"),
    _cpu("threads", "eight threads", f"$PY -c '{_THREADS}'"),
    _cpu("pool", "a pool of four processes", f"$PY -c '{_POOL}'"),
    _cpu("subreaper", "a subreaper with 150 orphans", f"$PY -c '{_SUBREAPER}'"),
    _cpu("timeout", "timeout, which sends TERM", _times(6, f"timeout 1000 {_IN_TIME}")),
    _cpu("jobs", "background jobs that the shell waits for", f"{_times(6, _burn(15_000_000) + ' &')}; wait"),
    _cpu("exec", "shells that become other programs", _times(2000, "sh -c 'exec sh -c \"exec /bin/true\"'")),
    _cpu(
        "killed",
        "programs that are killed",
        f"mkfifo $B/said; {_times(6, f'{_SAYS} & read x <$B/said; kill -9 $!; wait $!')}",
    ),
    _moved("swap", "swap-pane with another session", "swap-pane -d -s {pane} -t {name}-b:0.0"),
    _moved(
        "join",
        "join-pane to another session and back",
        "join-pane -d -s {pane} -t {name}-b:",
        "join-pane -d -s {pane} -t {name}:",
    ),
    _moved(
        "break",
        "break-pane",
        "join-pane -d -s {name}:1.0 -t {pane}",
        "break-pane -d -s {pane} -t {name}:",
    ),
    _moved("move", "move-window to another session", "move-window -d -s {pane} -t {name}-b:7"),
    _moved(
        "link",
        "link-window and unlink-window",
        "link-window -d -s {pane} -t {name}-b:7",
        "unlink-window -t {name}-b:7",
    ),
    _moved(
        "rename",
        "rename-session to another name and back",
        "rename-session -t {name} {name}-c",
        "rename-session -t {name}-c {name}",
    ),
    _orphans(
        "double_fork_long",
        "double forks of 1 s, six",
        f"{_times(6, f'({_burn(20_000_000)} &)')}; sleep 14",
        short=False,
    ),
    _orphans(
        "setsid_long",
        "setsid nohup of 1 s, four",
        f"{_times(4, f'(setsid nohup {_burn(20_000_000)} >/dev/null 2>&1 &)')}; sleep 10",
        short=False,
    ),
    _orphans("stays", "a double fork that works and stays", f"($PY -c '{_STAYS}' &); sleep 6", short=False),
    _orphans(
        "empty_environment",
        "env -i setsid of 1 s, four",
        f"{_times(4, f'(env -i setsid {_burn(20_000_000)} &)')}; sleep 10",
        short=False,
    ),
    _orphans(
        "double_fork",
        "double forks of 50 ms, 40",
        f"{_times(40, f'({_burn(1_000_000)} &); sleep 0.1')}; sleep 1",
        short=True,
    ),
    _orphans(
        "ignored", "children of a parent that ignores SIGCHLD", f"$PY -c '{_IGNORED}'; sleep 1", short=True
    ),
    _orphans(
        "setsid",
        "setsid nohup of 0.2 s, five",
        f"{_times(5, f'(setsid nohup {_burn(5_000_000)} >/dev/null 2>&1 &); sleep 0.5')}; sleep 1",
        short=True,
    ),
    _orphans(
        "timeout_kill",
        "timeout -s KILL, four times",
        f"{_times(4, f'timeout -s KILL 1000 {_IN_TIME}')}; sleep 1",
        short=True,
    ),
    _orphans(
        "sh_c",
        "sh -c 'cmd &', 30 times",
        _times(30, f'sh -c "{_burn(1_000_000)} &"; sleep 0.1') + "; sleep 1",
        short=True,
    ),
    _memory("heap", "a block of 100 MiB"),
    _memory("lists", "half a million small objects"),
    _memory("huge_pages", "transparent huge pages"),
    _memory("given_back", "half given back by MADV_DONTNEED"),
    _memory("free_when_needed", "half given back by MADV_FREE"),
    _memory("locked", "locked memory"),
    _memory("many_threads", "200 threads"),
    _memory("forks", "100 MiB and six forks"),
    _memory("large_forks", "300 MiB and six forks"),
    _memory("forks_that_write", "four forks that write to half of it"),
    _memory("forks_of_forks", "a fork of a fork of a fork"),
    _memory("forks_without_parent", "four forks whose parent was killed"),
    _memory("forks_that_exec", "six children that became another program"),
    _memory("shared", "shared anonymous memory"),
    _memory("shared_by_five", "shared memory in five processes"),
    _memory("system_v", "System V shared memory"),
    _memory("memory_file_mapped", "a mapped memfd"),
    _memory("memory_file_written", "a written memfd, not mapped"),
    _memory("deleted_in_memory", "a deleted file of a tmpfs, open, not mapped"),
    _memory("private_file", "a file mapped privately and written"),
    _memory("read_file", "a file mapped and read"),
    *(
        _shape(name, Group.FDS, Figure.FDS, what)
        for name, what in (
            ("descriptors", "files, pipes, sockets, epoll, events, memfd"),
            ("descriptors_inherited", "the same, inherited by three forks"),
            ("descriptors_of_deleted_files", "50 deleted files"),
            ("descriptors_shared", "two processes with one table (CLONE_FILES)"),
        )
    ),
    *(
        _shape(name, Group.IO, Figure.WRITTEN, what)
        for name, what in (
            ("written", "32 MiB by write()"),
            ("sent", "32 MiB by sendfile()"),
            ("spliced", "32 MiB by splice()"),
            ("mapped_and_synced", "32 MiB by a mapping and msync()"),
        )
    ),
)
