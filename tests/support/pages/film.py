"""A short film of `top` as one SVG, whose frames follow each other."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from functools import partial
from html import escape

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tests.support.wait import wait_for

COLUMNS, LINES = 80, 24
SECONDS = 4
SCENES = (
    ("", "CPU 1|CPU 2|CPU 3|CPU 4|CPU 5|CPU 6|CPU 7|CPU 8|CPU 9"),
    ("3", "TARGET"),
    ("4", "LEFT BY"),
    ("1", "FOR|AGENT  "),
    ("j\r", "state_source"),
)
"""Keys, and a word that is on the screen then (one of several)."""
_WIDTH, _HEIGHT, _EDGE = 8.43, 18, 12
_COLORS = {1: "#ff7b72", 2: "#7ee787", 3: "#e3b341", 6: "#79c0ff"}
_TEXT, _DIM, _GROUND, _CHOSEN = "#e6edf3", "#9198a1", "#0d1117", "#3d444d"


def frames(environ: dict[str, str]) -> list[list[str]]:
    """What `top` shows in each scene, with colours as escape codes."""
    main_end, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [sys.executable, "-m", "tmux_exporter", "top"]
    top = subprocess.Popen(
        command, env={**environ, "TERM": "xterm-256color"}, stdin=terminal, stdout=terminal
    )
    os.set_blocking(main_end, False)
    drawn = bytearray()

    def shows(told: str) -> bool:
        with suppress(BlockingIOError):
            drawn.extend(os.read(main_end, 1 << 20))
        return any(each in "\n".join(_last(drawn)) for each in told.split("|"))

    found = []
    try:
        for keys, told in SCENES:
            os.write(main_end, keys.encode())
            wait_for(partial(shows, told), told, 60)
            found.append(_last(drawn))
    finally:
        top.terminate()
        top.wait()
    return found


def _last(drawn: bytearray) -> list[str]:
    """The last whole frame of what `top` wrote."""
    *_, frame = ("", *drawn.decode("utf-8", "replace").split("\x1b[H"))
    whole, end, _ = frame.partition("\x1b[J")
    return [line.removeprefix("\x1b[2K").rstrip("\r") for line in whole.split("\r\n")] if end else []


def svg(frames: list[list[str]]) -> str:
    """All frames in one picture, each shown for some seconds."""
    width, height = COLUMNS * _WIDTH + 2 * _EDGE, LINES * _HEIGHT + 2 * _EDGE
    part = 100 / len(frames)
    rules = [f".f{place}{{animation-delay:{place * SECONDS}s}}" for place in range(len(frames))]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        'aria-label="top: the tree of sessions, schedulers, leaks, agents, and one of them opened">\n<style>'
        "text{font:14px ui-monospace,Menlo,Consolas,monospace;white-space:pre}"
        f"g{{opacity:0;animation:show {len(frames) * SECONDS}s step-end infinite}}"
        f"@keyframes show{{0%{{opacity:1}}{part:g}%{{opacity:0}}}}{''.join(rules)}"
        "@media(prefers-reduced-motion:reduce){g{animation:none}.f0{opacity:1}}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{_GROUND}"/>\n'
    )
    drawn = (f'<g class="f{place}">\n{"".join(_drawn(lines))}</g>\n' for place, lines in enumerate(frames))
    return head + "".join(drawn) + "</svg>\n"


def _drawn(lines: list[str]) -> list[str]:
    console, found = Console(width=COLUMNS, color_system="standard"), []
    for number, line in enumerate(lines):
        column, y = 0, _EDGE + number * _HEIGHT
        for segment in Text.from_ansi(line).render(console):
            wide, style = cell_len(segment.text), segment.style
            x = _EDGE + column * _WIDTH
            column += wide
            if style and style.reverse and segment.text.strip("\n"):
                where = f'x="{x:.1f}" y="{y}" width="{wide * _WIDTH:.1f}" height="{_HEIGHT}"'
                found.append(f'<rect {where} fill="{_CHOSEN}"/>\n')
            if text := segment.text.strip("\n").rstrip():
                color = _COLORS.get((style.color.number or 0) if style and style.color else 0, "")
                fill = color or (_DIM if style and style.dim else _TEXT)
                bold = ' font-weight="bold"' if style and style.bold else ""
                found.append(
                    f'<text x="{x:.1f}" y="{y + 14}" textLength="{cell_len(text) * _WIDTH:.1f}" '
                    f'fill="{fill}"{bold}>{escape(text)}</text>\n'
                )
    return found
