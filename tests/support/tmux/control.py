"""Many commands to one real tmux server over one control-mode client: cheap enough for thousands of probes.

For tests only, which may send a server any text.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reply:
    """One command's outcome: whether tmux took it, and its output."""

    ok: bool
    text: str


def quoted(text: str) -> str:
    """`text` as one argument of tmux's command language, whatever its bytes (none may be NUL)."""
    raw = text.encode("utf-8", "surrogateescape")
    return '"' + "".join(f"\\{byte:03o}" for byte in raw) + '"'


class ControlClient:
    """A `tmux -C` client; made by `control_client`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def run(self, commands: Sequence[str]) -> list[Reply]:
        """Run command lines one after another; `quoted` makes safe arguments."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        replies: list[Reply] = []
        for start in range(0, len(commands), 100):
            batch = commands[start : start + 100]
            stdin.write(b"".join(command.encode() + b"\n" for command in batch))
            stdin.flush()
            replies += [self._reply(stdout) for _ in batch]
        return replies

    def _reply(self, stdout: Iterator[bytes]) -> Reply:
        """The next block that answers a command of ours: its flags end in 1."""
        while True:
            opening = next(stdout).split()
            if opening[0] != b"%begin":
                continue
            number = opening[2]
            lines: list[bytes] = []
            for line in stdout:
                if line.split(b" ")[0] in (b"%end", b"%error") and line.split()[2] == number:
                    break
                lines.append(line)
            if opening[3] == b"1":
                text = b"".join(lines).decode("utf-8", "surrogateescape")
                return Reply(ok=line.startswith(b"%end"), text=text)


@contextmanager
def control_client(tmux: str, socket: Path, target: str) -> Iterator[ControlClient]:
    """Attach in control mode to the session `target`; leaves by closing stdin, as tmux wants it."""
    process = subprocess.Popen(
        [tmux, "-u", "-S", str(socket), "-C", "attach-session", "-t", target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb"},
    )
    try:
        yield ControlClient(process)
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.stdout.read()
        process.stdout.close()
        process.wait()
