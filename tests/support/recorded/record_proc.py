"""Record odd processes as the kernel shows them: `python -m tests.support.recorded.record_proc FOLDER`.

Starts every process itself, so that no path, name or secret of the recording machine gets in; only the
kernel's own thread 2 is somebody else's. Needs tmux and /usr/bin/python3. `roles.json` says which pid is
what.

A recording holds what a reader looks at. Refusals cannot be recorded, and `fd` holds one empty file for each
open file.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.support.processes.odd import FILES, MAIN_THREAD_LEFT, NAMED, ZOMBIE, running
from tests.support.wait import wait_for

PYTHON = ("/usr/bin/python3",)
ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "SECRET": "not to be kept",
    "CLAUDECODE": "1",
    "CLAUDE_CODE_SESSION_ID": "5f0c1f9e",
}
NAMES = {"bracket_name": b") R 1 1 (", "newline_name": b"two\nlines", "not_utf8_name": b"\xff\xfe caf\xe9"}
FILES_OF_A_PROCESS = ("stat", "status", "io", "limits", "cmdline", "environ")


def record_folder(source: Path, target: Path) -> None:
    """Copy what can be read of one /proc/PID or /proc/PID/task/TID."""
    target.mkdir(parents=True)
    for name in FILES_OF_A_PROCESS:
        with suppress(FileNotFoundError, ProcessLookupError):
            (target / name).write_bytes((source / name).read_bytes())
    with suppress(FileNotFoundError):
        (target / "exe").symlink_to(os.readlink(source / "exe"))
    (target / "ns").mkdir()
    for kind in ("pid", "mnt"):
        with suppress(FileNotFoundError):
            (target / "ns" / kind).symlink_to(os.readlink(source / "ns" / kind))
    (target / "fd").mkdir()
    for name in os.listdir(source / "fd"):
        (target / "fd" / name).touch()


def record_process(pid: int, scene: Path) -> None:
    """Copy one process, and its threads where there are several."""
    source, target = Path("/proc", str(pid)), scene / str(pid)
    record_folder(source, target)
    threads = os.listdir(source / "task")
    if len(threads) > 1:
        for thread in threads:
            record_folder(source / "task" / thread, target / "task" / thread)


def record_machine(scene: Path) -> None:
    """Copy the lines of /proc/stat that hold no counter of each processor or interrupt."""
    lines = Path("/proc/stat").read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.split()[0] in ("cpu", "ctxt", "btime", "processes")]
    (scene / "stat").write_text("".join(kept))


def record(scene: Path) -> dict[str, int]:
    """Start the cast, record it, end it; gives the pid of every role."""
    with ExitStack() as cast:
        base = Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))
        cast.callback(shutil.rmtree, base, ignore_errors=True)
        tmux_environ = {**ENVIRON, "TMUX_TMPDIR": str(base)}

        def tmux(*words: str) -> str:
            command = ["tmux", "-L", "scene", *words]
            return subprocess.check_output(command, env=tmux_environ, cwd="/", text=True)

        tmux("-f", "/dev/null", "new-session", "-d", "-s", "main", "sleep 600")
        cast.callback(tmux, "kill-server")
        wait_for(lambda: tmux("list-panes", "-F", "#{pane_current_command}").strip() == "sleep", "sleep runs")
        server, pane = tmux("list-panes", "-F", "#{pid} #{pane_pid}").split()
        roles = {"kernel_thread": 2, "tmux_server": int(server), "pane": int(pane)}
        for role, name in NAMES.items():
            roles[role], _ = cast.enter_context(running(NAMED, name.hex(), python=PYTHON, environ=ENVIRON))
        roles["zombie_parent"], zombie = cast.enter_context(running(ZOMBIE, python=PYTHON, environ=ENVIRON))
        roles["zombie"] = int(zombie)
        roles["main_thread_left"], _ = cast.enter_context(
            running(MAIN_THREAD_LEFT, python=PYTHON, environ=ENVIRON)
        )
        roles["files"], _ = cast.enter_context(running(FILES, "20", python=PYTHON, environ=ENVIRON))
        record_machine(scene)
        for pid in roles.values():
            record_process(pid, scene)
        return roles


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    (folder / "roles.json").write_text(json.dumps(record(folder), indent=2) + "\n")
