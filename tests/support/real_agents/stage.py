"""One real program on a real pane: started, typed to, ended, and its screen."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from tests.support.real_agents.moments import RESUME, START, Step
from tests.support.real_agents.programs import RealProgram

START_SECONDS, STAGED_SECONDS = 150.0, 90.0
"""The longest time until a program is there, and until it does what it was told to."""

_TYPED_SECONDS = 1.2
"""Between a prompt and its Enter: together they look like a paste, and a paste is not sent."""


_ECHO_SECONDS = 20.0
"""The longest time until a prompt shows what was typed."""


class NotStagedError(Exception):
    """The moment did not come about; the message is the screen."""


def pause(seconds: float) -> None:
    """People pause too."""
    threading.Event().wait(seconds)


def _kill_below(pid: int) -> None:
    for each in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each.pid, signal.SIGKILL)


def _words(screen: str) -> str:
    """Its words as one line, without the frames that stand between them where the pane is narrow."""
    return " ".join(re.sub("[│┃]", " ", screen).split())


class Stage:
    """A session of the server `socket` for one program with a home of its own below `base`."""

    def __init__(
        self, program: RealProgram, folder: Path, base: Path, socket: Path, url: str, *, size: tuple[int, int]
    ) -> None:
        self.program = program
        self._socket = socket
        self._home = base / program.name
        project = self._home / "project"
        project.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", project], check=True)
        program.prepare(self._home, url)
        self._write_scripts(folder, project, url)
        columns, rows = size
        self.tmux(
            *("new-session", "-d", "-s", program.name, "-x", str(columns), "-y", str(rows)),
            *("-c", str(project), f"exec env -i {self._environ({})} bash --norc"),
        )
        self._shell = int(self.tmux("display-message", "-p", "-t", f"={program.name}:", "#{pane_pid}"))

    def _environ(self, more: Mapping[str, str]) -> str:
        words = {
            "PATH": os.environ["PATH"], "HOME": str(self._home), "TERM": "xterm-256color", "LANG": "C.UTF-8",
            "SHELL": "/bin/bash", "PS1": "$ ", **more,
        }  # fmt: skip
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in words.items())

    def _write_scripts(self, folder: Path, project: Path, url: str) -> None:
        program = self.program
        environ = self._environ({name: value.format(url=url) for name, value in program.environ.items()})
        environ += f" PATH={folder}:{os.environ['PATH']}"
        for name, more in (("start", program.arguments), ("resume", (*program.arguments, *program.resume))):
            command = shlex.join([program.bin, *more])
            script = self._home / name
            script.write_text(f"#!/bin/sh\ncd {project}\nexec env {environ} {command}\n")
            script.chmod(0o755)

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-u", "-S", str(self._socket), "-f", "/dev/null", *arguments]
        return subprocess.check_output(command, text=True, timeout=60).strip("\n")

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", f"={self.program.name}:")

    def anonymous(self, screen: str) -> str:
        """The screen with another home, as wide as the own one where a frame may stand behind it."""
        home = str(self._home)
        other = f"/home/ann/{'x' * len(home)}"[: len(home)]
        return "\n".join(row.rstrip() for row in screen.replace(home, other).split("\n"))

    def _type(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", f"={self.program.name}:", *keys)

    def do(self, step: Step) -> None:
        """Bring the moment about, as a person would."""
        match step.keys:
            case ("start" | "resume" as how,):
                self._type("-l", f"tput reset; {self._home}/{how}")
                self._type("Enter")
            case ("crash",):
                _kill_below(self._shell)
            case ("leave",):
                self._say(self.program.leave)
                # The first one may only have chosen from a list.
                pause(_TYPED_SECONDS)
                self._type("Enter")
            case ("say", text):
                self._say(text)
            case ("press", *keys):
                for key in keys:
                    self._type(key)
                    pause(0.5)
            case _:
                """The moment comes by itself."""

    def _say(self, text: str) -> None:
        self._type("-l", text)
        # A program on a busy machine may read both at once.
        deadline = time.monotonic() + _ECHO_SECONDS
        while text not in _words(self.screen()) and time.monotonic() < deadline:
            pause(0.1)
        pause(_TYPED_SECONDS)
        self._type("Enter")

    def reached(self, step: Step) -> float:
        """The wall time at which the moment was there. Raises NotStagedError where it does not come."""
        is_there: Callable[[], bool] = self._is_left if not step.shows else lambda: self._shows(step)
        starts = step.keys in (START, RESUME)
        deadline = time.monotonic() + (START_SECONDS if starts else STAGED_SECONDS)
        # What it showed before its end is not what it shows now.
        while (starts and self._is_left()) or not is_there():
            if time.monotonic() > deadline:
                raise NotStagedError(self.screen())
            pause(0.1)
        return time.time()

    def _is_left(self) -> bool:
        return not psutil.Process(self._shell).children()

    def _shows(self, step: Step) -> bool:
        words = _words(self.screen())
        return all(each in words for each in step.shows) and not any(each in words for each in step.gone)

    def end(self) -> None:
        _kill_below(self._shell)
        self.tmux("kill-session", "-t", f"={self.program.name}")
