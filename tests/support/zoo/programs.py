"""The programs of the zoo: copies of `sleep` and `sh` by the names that they play, and a few of Python."""

import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

LISTEN = "import socket\nlistener = socket.create_server(('127.0.0.1', 0))\nlistener.accept()\n"
# It has a socket, as each terminal emulator to its display.
TERMINAL = "import pty, socket\nends = socket.socketpair()\npty.spawn(['sleep', '3000'])\n"
# Gives its terminal up, but stays in the kernel session of the pane.
NOTTY = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(os.open('/dev/tty', os.O_RDWR), termios.TIOCNOTTY)\n"
    "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
    "os.execvp('sleep', ['sleep', '3000'])\n"
)
SLEEPER = "import signal\nwhile True: signal.pause()\n"
# A pid namespace of its own, for the child; whoever may not have one says so.
CONTAINER = (
    "import ctypes, os, sys\n"
    "flags = 0x20000000 | (0 if os.getuid() == 0 else 0x10000000)\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "if libc.unshare(flags):\n    open(sys.argv[1], 'w').write('0')\n    os._exit(0)\n"
    "child = os.fork()\n"
    "if child:\n    open(sys.argv[1], 'w').write(str(child))\n    os._exit(0)\n"
    "os.setsid()\nos.execvp('sleep', ['sleep', '3000'])\n"
)
# 4 is PR_SET_DUMPABLE.
UNDUMPABLE = "import ctypes, signal\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nwhile True: signal.pause()\n"
# An agent: FOLDER NAME VARIABLE ID. What it leaves as NAME has its marker, but no variable of tmux.
AGENT = (
    'unset TMUX TMUX_PANE\nexport "$3=$4"\nsleep 3000 &\n'
    'setsid -f sh -c \'echo $$ >"$0"; exec sleep 3000\' "$1/$2.pid" </dev/null >/dev/null 2>&1\nwait\n'
)
LATER = "sleep 3000\ntmux send-keys -t main:0 hi Enter\n"


def make(base: Path, commands: Iterable[str]) -> None:
    """Make every program that one of the commands names, and whatever else they need."""
    for name, content in (
        ("listen.py", LISTEN),
        ("terminal.py", TERMINAL),
        ("notty.py", NOTTY),
        ("container.py", CONTAINER),
        ("undumpable.py", UNDUMPABLE),
        ("agent.sh", AGENT),
        ("later.sh", LATER),
    ):
        (base / name).write_text(content)
    for fifo in ("never", "ending", "ending2", "age"):
        os.mkfifo(base / fifo)
    own = base / "tmux_exporter"
    own.mkdir()
    (own / "__init__.py").touch()
    (own / "zoo.py").write_text(SLEEPER)
    text = "\n".join(commands)
    for folder, program in (("bin", "sleep"), ("sh", "sh"), (".vscode-server/bin", "sleep")):
        (base / folder).mkdir(parents=True)
        original = _copy(program, base / folder)
        for name in set(re.findall(rf"[$][B0]/{re.escape(folder)}/([A-Za-z0-9._-]+)", text)):
            if not (base / folder / name).exists():
                os.link(original, base / folder / name)
    (base / "bin" / "tmux-exporter").unlink()
    (base / "bin" / "tmux-exporter").write_text(SLEEPER)


def _copy(program: str, folder: Path) -> Path:
    found = shutil.which(program)
    assert found, program
    copy = folder / f"original-{program}"
    shutil.copy(os.path.realpath(found), copy)
    return copy


PROLOGUE = (
    "unset {markers}\n"
    "S={sockets} PY={python}\n"
    "spawn() {{ n=$1; shift; "
    'setsid -f sh -c \'echo $$ >"$0"; exec "$@"\' $B/$n.pid "$@" </dev/null >/dev/null 2>&1; }}\n'
    "keep() {{ n=$1; shift; "
    'nohup sh -c \'echo $$ >"$0"; exec "$@"\' $B/$n.pid "$@" </dev/null >/dev/null 2>&1 & }}\n'
)
"""What every script begins with."""


def prologue(sockets: Path, markers: Iterable[str]) -> str:
    """The beginning of a script; without the marks of an agent that the tests may run under."""
    return PROLOGUE.format(markers=" ".join(sorted(markers)), sockets=sockets, python=sys.executable)
