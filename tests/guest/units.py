"""The shipped units on a machine, installed as docs/service.md says: `sudo python3 units.py [PLAY ...]`.

It needs systemd, sudo, the users alice and bob, and the commands in /usr/local/bin. Each play prints what it
has seen, or fails, and removes as the page says what it has installed. The play `system` also asks a
Prometheus, where one is installed.
"""

import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = float(os.environ.get("UNITS_PATIENCE", "400"))
SYSTEM = Path("/etc/systemd/system")
TARGETS = Path("/run/tmux-exporter")
BEATS = "WatchdogSec=60"
"""Instead of two minutes; the machine is an emulated one."""
PANES = 50
PORTS = {"alice": 10077, "bob": 10078}
BESIDE = 10099
"""Where an exporter without any sandbox answers."""

SCRAPE = """\
global: { scrape_interval: 5s }
scrape_configs:
  - job_name: tmux
    file_sd_configs:
      - files: [/run/tmux-exporter/*.json]
    relabel_configs:
      - source_labels: [__meta_filepath]
        regex: .*/(.+)\\.json
        target_label: user
"""
SUMS = ("pane_memory_bytes", "pane_open_fds", "pane_processes", "agent_memory_bytes", "agent_up")
SEEN = re.compile(
    r"tmux_(?:up|(?:server|session|window|pane|agent)_(?:info|memory_bytes|processes|threads|open_fds"
    r"|cpu_seconds_total|read_bytes_total|written_bytes_total|proportional_memory_bytes|history_bytes)"
    r"|agent_up|schedulers|leaked_processes|leaked_memory_bytes)\{"
)
"""What an exporter in a sandbox shows just as one without: what it reads from tmux and from /proc."""

AGENT = """\
$0 = "claude"; my $kept = "x" x (30 << 20); sleep 20000;
"""

AS_BOB = {
    "sudo": "sudo -n -u bob {}",
    "su": "sudo -n su -s /bin/sh bob -c '{}'",
    "runuser": "sudo -n runuser -u bob -- {}",
    "setpriv": "sudo -n setpriv --reuid bob --regid bob --clear-groups {}",
}
ALL_PANES = PANES + 1 + len(AS_BOB)

STOP = """\
import ctypes, os, sys
pid, libc = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for thread in map(int, os.listdir(f"/proc/{pid}/task")):
    if thread != pid:
        for request in (0x4206, 0x4207):  # PTRACE_SEIZE, PTRACE_INTERRUPT
            if libc.ptrace(request, thread, None, None):
                sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
print("stopped", flush=True)
try:
    while True:
        os.waitpid(-1, 0x40000000)  # __WALL: its threads end only when they have been waited for
except ChildProcessError:
    pass
"""
"""Stop all threads of a process but the first, which is the one that answers requests."""


def tell(name: str, value: object) -> None:
    print(f"{name}: {value}", flush=True)


def wait_until(condition: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.2)
    return value


def run(*words: str) -> str:
    done = subprocess.run(
        words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, (words, done.stdout)
    return done.stdout


def as_user(user: str, *words: str) -> tuple[str, ...]:
    """A command as a login of that user has it."""
    of = pwd.getpwnam(user)
    environ = (
        f"HOME={of.pw_dir}",
        f"USER={user}",
        f"XDG_RUNTIME_DIR=/run/user/{of.pw_uid}",
        "PATH=" + os.environ["PATH"],
    )
    return ("runuser", "-u", user, "--", "env", "-i", "-C", of.pw_dir, *environ, *words)  # fmt: skip


def get(port: int, path: str = "/metrics") -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


def seen(page: str) -> set[str]:
    """The series of a page that tell what it sees, without their values."""
    return {line.rpartition(" ")[0] for line in page.splitlines() if SEEN.match(line)}


def labels(page: str, name: str) -> list[dict[str, str]]:
    """The labels of each series of a family."""
    lines = (line for line in page.splitlines() if line.startswith(f"{name}{{"))
    return [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in lines]


def panes(page: str) -> int:
    return len(labels(page, "tmux_pane_memory_bytes"))


def value(page: str, name: str) -> float:
    """The sum of a family."""
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(f"{name}{{"))


class Unit:
    """A unit of the system or of a user's manager."""

    def __init__(self, name: str, user: str = "") -> None:
        self.name, self.user = name, user

    def ctl(self, *words: str) -> str:
        command = ("systemctl", *(["--user"] if self.user else []), *words)
        return run(*(as_user(self.user, *command) if self.user else command))

    def stop(self) -> None:
        """Stop it, if it is still there."""
        with suppress(AssertionError):
            self.ctl("stop", self.name)

    def show(self, name: str) -> str:
        return self.ctl("show", "-p", name, "--value", self.name).strip()

    def log(self) -> str:
        field = "_SYSTEMD_USER_UNIT" if self.user else "_SYSTEMD_UNIT"
        about = "USER_UNIT" if self.user else "UNIT"
        words = (f"{field}={self.name}", "+", f"{about}={self.name}")
        return run("journalctl", "--no-pager", "-b", "-o", "cat", *words)

    def is_active(self) -> bool:
        return self.show("ActiveState") == "active"


def fleet(stack: ExitStack, user: str, count: int) -> None:
    """A tmux server of a user, where tmux is by default, with so many panes."""

    def tmux(*words: str) -> None:
        run(*as_user(user, "tmux", "-f", "/dev/null", *words))

    tmux("new-session", "-d", "-s", "work0", "-x", "80", "-y", "24", "sleep 20000")
    stack.callback(tmux, "kill-server")
    for number in range(1, count):
        session = f"work{number // 5}"
        how = (
            ("new-window", "-d", "-t", f"{session}:") if number % 5 else ("new-session", "-d", "-s", session)
        )
        tmux(*how, "exec sleep 20000")


def agents(stack: ExitStack, folder: Path) -> None:
    """An agent of alice, and in her panes some that run as bob."""
    Path("/etc/sudoers.d/units").write_text("alice ALL=(ALL) NOPASSWD: ALL\n")
    stack.callback(Path("/etc/sudoers.d/units").unlink)
    script = folder / "agent"
    script.write_text(AGENT)
    agent = f"/usr/bin/perl {script}"
    tmux = as_user("alice", "tmux")
    run(*tmux, "new-session", "-d", "-s", "own", agent)
    for name, form in AS_BOB.items():
        run(*tmux, "new-session", "-d", "-s", name, "sh")
        run(*tmux, "send-keys", "-t", name, form.format(agent), "Enter")


def beside(stack: ExitStack, folder: Path) -> None:
    """An exporter of alice without any sandbox."""
    words = as_user("alice", "env", f"XDG_STATE_HOME={folder}", "tmux-exporter", "serve",
                    "--web.listen-address", f"127.0.0.1:{BESIDE}")  # fmt: skip
    with (folder / "beside.log").open("wb") as log:
        child = subprocess.Popen(words, stdout=log, stderr=log)

    def close() -> None:
        run("pkill", "-TERM", "-P", str(child.pid)) if child.poll() is None else None
        child.terminate()
        child.wait(60)

    stack.callback(close)


def same_view(port: int) -> None:
    """An exporter shows what one without a sandbox shows: the same series, about the same figures."""

    def difference() -> str:
        ours, theirs = get(port, "/metrics?fresh=1"), get(BESIDE, "/metrics?fresh=1")
        if panes(ours) != ALL_PANES or not seen(theirs):
            return f"{panes(ours)} panes, {panes(theirs)} without a sandbox"
        other = seen(ours) ^ seen(theirs)
        return "; ".join(sorted(other)[:6])

    last = [""]

    def agrees() -> bool:
        last[0] = difference()
        return not last[0]

    try:
        wait_until(agrees, "both see the same")
    except AssertionError as error:
        raise AssertionError(last[0]) from error
    ours, theirs = get(port, "/metrics?fresh=1"), get(BESIDE, "/metrics?fresh=1")
    tell("series that tell what is seen, equal to those without a sandbox", len(seen(ours)))
    for name in (f"tmux_{each}" for each in SUMS):
        mine, other = value(ours, name), value(theirs, name)
        tell(f"{name}, and without a sandbox", (mine, other))
        assert abs(mine - other) <= 0.02 * other
    assert value(ours, "tmux_agent_up") == 1 + len(AS_BOB)
    partial = [each["session"] for each in labels(ours, "tmux_agent_info") if each["partial"]]
    tell("agents that run as another user", sorted(partial))
    assert sorted(partial) == sorted(AS_BOB)


def hang(unit: Unit, port: int) -> None:
    """Stop its sampler's thread: it answers as before, and systemd starts it again all the same."""
    pid, before = unit.show("MainPID"), int(unit.show("NRestarts"))
    with subprocess.Popen([sys.executable, "-c", STOP, pid], stdout=subprocess.PIPE, text=True) as stopper:
        assert stopper.stdout is not None
        assert stopper.stdout.readline() == "stopped\n"
        began = time.monotonic()
        assert get(port, "/-/healthy"), "it answers, though its sampler stands"
        # Prometheus goes on asking it.
        assert unit.user or (TARGETS / "alice.json").exists()
        wait_until(lambda: int(unit.show("NRestarts")) > before, "it is started again")
        tell("its sampler stood; started again after", f"{time.monotonic() - began:.0f} s ({BEATS})")
    wait_until(lambda: unit.is_active() and panes(get(port)) == ALL_PANES, "it sees all panes again")
    assert unit.show("MainPID") != pid
    log = unit.log()
    told = [line for line in log.splitlines() if "Watchdog timeout" in line or "Fatal Python error" in line]
    tell("its journal", told)
    assert len(told) >= 2, log[-3000:]
    assert "in _wait_until_due" in log or "publisher.py" in log, "where the sampler stood"


def faultless(unit: Unit) -> None:
    faults = [
        line for line in unit.log().splitlines()
        if re.search(r"not permitted|denied|Read-only|level=error|Traceback", line)
    ]  # fmt: skip
    tell(f"{unit.name}: errors in its journal", faults)
    assert not faults


def ready(unit: Unit, port: int) -> None:
    wait_until(lambda: "panes" in unit.show("StatusText"), "its status tells of a sample")
    names = "Type,ActiveState,User,StatusText,WatchdogUSec,NRestarts"
    tell(unit.name, " ".join(f"{name}={unit.show(name)!r}" for name in names.split(",")))
    assert get(port, "/-/ready")


def exported(folder: Path) -> Path:
    units = folder / "units"
    run("tmux-exporter", "export", "units", "--out", str(units))
    return units


def prometheus(stack: ExitStack, folder: Path) -> None:
    """A real Prometheus finds both exporters and names their users."""
    if not (program := shutil.which("prometheus")):
        tell("Prometheus", "none here")
        return
    (folder / "prometheus.yml").write_text(SCRAPE)
    words = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
             "--web.listen-address=127.0.0.1:9999"]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        child = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "TZ": "UTC"})
    stack.callback(child.wait, 60)
    stack.callback(child.terminate)

    def answers(query: str) -> dict[str, float]:
        text = get(9999, f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        found = json.loads(text)["data"]["result"] if text else []
        return {each["metric"].get("user", ""): float(each["value"][1]) for each in found}

    wait_until(lambda: answers("up") == {"alice": 1.0, "bob": 1.0}, "both are up")
    count = "count by (user) (tmux_pane_memory_bytes)"
    wait_until(lambda: answers(count) == {"alice": float(ALL_PANES), "bob": 2.0}, "each has their panes")
    tell("Prometheus: up, panes", (answers("up"), answers(count)))


def system(stack: ExitStack, folder: Path) -> None:
    """tmux-exporter@alice and tmux-exporter@bob."""
    units = exported(folder)
    run("cp", str(units / "tmux-exporter@.service"), str(SYSTEM))
    for user in PORTS:
        run(*as_user(user, "mkdir", "-p", ".local/state/tmux-exporter"))
        run("loginctl", "enable-linger", user)
    for user, settings in (("alice", BEATS), ("bob", f"Environment=LISTEN=127.0.0.1:{PORTS['bob']}")):
        drop_in = SYSTEM / f"tmux-exporter@{user}.service.d" / "override.conf"
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text(f"[Service]\n{settings}\n")
    run("systemctl", "daemon-reload")
    alice, bob = (Unit(f"tmux-exporter@{user}.service") for user in PORTS)
    stack.callback(alice.stop)
    stack.callback(bob.stop)
    for unit, port in zip((alice, bob), PORTS.values(), strict=True):
        unit.ctl("enable", "--now", unit.name)
        ready(unit, port)
    for name in (alice.name, bob.name):
        tell("exposure", run("systemd-analyze", "security", "--no-pager", name).splitlines()[-1])
    tell("targets", {each.name: each.read_text().strip() for each in sorted(TARGETS.iterdir())})
    same_view(PORTS["alice"])
    assert panes(get(PORTS["bob"])) == 2
    state = Path("/home/alice/.local/state/tmux-exporter")
    tell("its state", sorted(each.name for each in state.iterdir()))
    prometheus(stack, folder)
    alice.ctl("reload", alice.name)
    wait_until(lambda: "configuration applied" in alice.log(), "it has read its configuration again")
    faultless(alice)
    faultless(bob)
    hang(alice, PORTS["alice"])
    # As docs/service.md says.
    run("systemctl", "disable", "--now", alice.name, bob.name)
    assert list(TARGETS.iterdir()) == []
    for user in PORTS:
        run("systemctl", "revert", f"tmux-exporter@{user}")
    (SYSTEM / "tmux-exporter@.service").unlink()
    run("systemctl", "daemon-reload")
    run("rmdir", str(TARGETS))
    nothing_left(SYSTEM)


def user_unit(stack: ExitStack, folder: Path) -> None:
    """The units of alice's own manager: socket, exporter, remediator."""
    units = exported(folder)
    home = Path("/home/alice/.config/systemd/user")
    run(*as_user("alice", "mkdir", "-p", str(home / "tmux-exporter.service.d")))
    for name in ("tmux-exporter.service", "tmux-exporter.socket", "tmux-remediator.service"):
        run(*as_user("alice", "cp", str(units / name), str(home)))
    run(
        *as_user(
            "alice", "sh", "-c", f"printf '[Service]\\n{BEATS}\\n' >{home}/tmux-exporter.service.d/b.conf"
        )
    )
    unit, socket_unit = Unit("tmux-exporter.service", "alice"), Unit("tmux-exporter.socket", "alice")
    unit.ctl("daemon-reload")
    stack.callback(unit.stop)
    stack.callback(socket_unit.stop)
    unit.ctl("enable", "--now", socket_unit.name)
    assert unit.show("ActiveState") == "inactive"
    began = time.monotonic()
    wait_until(lambda: get(PORTS["alice"], "/-/healthy"), "who connects starts it")
    tell("the first request started it, and had its answer after", f"{time.monotonic() - began:.1f} s")
    ready(unit, PORTS["alice"])
    same_view(PORTS["alice"])
    unit.ctl("kill", "-s", "KILL", unit.name)
    with socket.create_connection(("127.0.0.1", PORTS["alice"]), timeout=1):
        pass
    assert wait_until(lambda: get(PORTS["alice"], "/-/healthy"), "it answers again")
    tell("killed; while it is started again a connection is", "taken")
    wait_until(lambda: "panes" in unit.show("StatusText"), "it has sampled again")
    faultless(unit)
    hang(unit, PORTS["alice"])
    other = Unit("tmux-remediator.service", "alice")
    other.ctl("enable", "--now", other.name)
    stack.callback(other.stop)
    wait_until(
        lambda: re.search(r"^tmux_remediator_up\S* 1", get(PORTS["alice"]), re.MULTILINE), "it observes"
    )
    tell("remediator", other.show("ActiveState"))
    faultless(other)
    # As docs/service.md says.
    unit.ctl("disable", "--now", socket_unit.name, unit.name, other.name)
    for name in (unit.name, socket_unit.name, other.name):
        (home / name).unlink()
    shutil.rmtree(home / "tmux-exporter.service.d")
    unit.ctl("daemon-reload")
    nothing_left(home)


def nothing_left(folder: Path) -> None:
    """No process, no port, no file of a unit; the fleet is as it was."""
    for port in PORTS.values():
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
            raise AssertionError(f"somebody listens on {port}")
    ours = [str(each) for each in folder.rglob("tmux-*")]
    assert ours == [], ours
    commands = [
        text for each in Path("/proc").glob("[0-9]*/cmdline")
        if "/tmux-exporter\0serve" in (text := read(each)) and str(BESIDE) not in text
    ]  # fmt: skip
    assert commands == [], commands
    count = len(run(*as_user("alice", "tmux", "list-panes", "-a")).splitlines())
    tell("removed; panes as before", count)
    assert count == ALL_PANES


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


PLAYS: dict[str, Callable[[ExitStack, Path], None]] = {"system": system, "user": user_unit}


def main(names: list[str]) -> None:
    assert os.getuid() == 0, "root"
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="units-"))
        folder.chmod(0o777)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        fleet(stack, "alice", PANES)
        fleet(stack, "bob", 2)
        agents(stack, folder)
        beside(stack, folder)
        for name in names or PLAYS:
            print(f"== {name}", flush=True)
            with ExitStack() as own:
                try:
                    PLAYS[name](own, folder)
                except BaseException:
                    print(run("journalctl", "--no-pager", "-b", "-n", "60"), flush=True)
                    raise
    print("all held", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
