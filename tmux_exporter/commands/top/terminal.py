"""Terminal control of `top`: alternate screen, keys, signals; restored at the end."""

import base64
import codecs
import os
import re
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

# Alternate screen, no cursor, no line wrap, clicks and wheel of the mouse (SGR); and back.
_ENTER = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J\x1b[?1000h\x1b[?1006h"
_LEAVE = b"\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_KEYS = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b[5~": "page-up",
    "\x1b[6~": "page-down", "\x1b[H": "home", "\x1b[F": "end", "\x1b[1~": "home", "\x1b[4~": "end",
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace",
    "\x15": "clear", "\t": "tab", "\x0c": "redraw",
}  # fmt: skip
_KEY = re.compile(r"\x1b(?:\[[0-9;?<]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
_MOUSE = re.compile(r"\x1b\[<(\d+);\d+;(\d+)M")
_WHEEL = {64: "up", 65: "down"}
CLICK = "click:"
"""And the line, from 1 on, that was clicked."""


def keys_of(text: str) -> list[str]:
    """The keys of what a terminal sent: letters as they are, others by name; unknown ones are left out."""
    found = []
    for key in _KEY.findall(text):
        named = _KEYS.get(key)
        if mouse := _MOUSE.fullmatch(key):
            button = int(mouse[1])
            named = _WHEEL.get(button) or (f"{CLICK}{mouse[2]}" if button == 0 else None)
        if named or (key.isprintable() and len(key) == 1):
            found.append(named or key)
    return found


class Terminal:
    """Keys from stdin, where it is a terminal, and frames to stdout.

    Use as a context: whatever ends it, the terminal is as it was before. `ended` is the signal that asks for
    the end, None until then.
    """

    def __init__(self) -> None:
        self.ended: int | None = None
        self._in = sys.stdin.fileno()
        self._out = sys.stdout.fileno()
        self._encoding = sys.stdout.encoding or "utf-8"
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._keys = os.isatty(self._in)
        self._woken, self._waker = os.pipe()
        self._before: list[object] = []
        self._handlers: dict[signal.Signals, object] = {}
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)

    def wake(self) -> None:
        """Make a waiting `keys` return; from any thread."""
        try:
            os.write(self._waker, b"\0")
        except BlockingIOError:
            # A full pipe wakes as well.
            return

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (*_ENDING, signal.SIGWINCH, signal.SIGTSTP):
            self._handlers[number] = signal.signal(number, self._on_signal)
        if self._keys:
            self._before = termios.tcgetattr(self._in)
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        # Not what COLUMNS says: a window may have been made larger since.
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            columns, lines = shutil.get_terminal_size()
        return columns or 80, lines or 24

    def show(self, lines: Sequence[str]) -> None:
        """Write a whole frame over the last one."""
        body = "\r\n".join(f"\x1b[2K{line}" for line in lines)
        self._write(f"\x1b[H{body}\x1b[J".encode(self._encoding, "replace"))

    def keys(self, timeout: float) -> list[str]:
        """The keys that were pressed; none after `timeout` seconds, a signal or a `wake`."""
        watched = [self._woken, *([self._in] if self._keys else [])]
        ready, _, _ = select.select(watched, [], [], timeout)
        if self._woken in ready:
            os.read(self._woken, 4096)
        if self._in not in ready:
            return []
        data = os.read(self._in, 4096)
        if not data:
            self.ended = self.ended or signal.SIGHUP
        return keys_of(self._decoder.decode(data))

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The terminal as it was before, for another program."""
        self._give_back()
        try:
            yield
        finally:
            self._take()

    def copy(self, text: str) -> None:
        """Ask the terminal to put a text into its clipboard (OSC 52); not every terminal does."""
        self._write(b"\x1b]52;c;" + base64.b64encode(text.encode()) + b"\x07")

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number in _ENDING:
            self.ended = number
        elif number == signal.SIGTSTP:
            self._give_back()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            # Returns on SIGCONT; at once where no shell controls the job.
            signal.raise_signal(signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._on_signal)
            self._take()

    def _take(self) -> None:
        if self._keys:
            tty.setcbreak(self._in)
        self._write(_ENTER)

    def _give_back(self) -> None:
        self._write(_LEAVE)
        if self._keys:
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._out, data) :]
