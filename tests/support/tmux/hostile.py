"""A tmux server that means harm: `python -m tests.support.tmux.hostile SOCKET SCRIPT [--uid UID]`.

It listens on SOCKET and plays the steps of one script to every client of the process that started it and of
its children, one after the other. What a client sends is kept in `SOCKET.log`. `start` runs it as a process
of its own, which the kernel then names as peer.
"""

import argparse
import contextlib
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.tmux.printed import pane_record, server_record
from tests.support.wait import wait_for

COMMAND = 200

Step = Callable[["Client"], None]


def message(kind: int, body: bytes = b"", *, version: int = 8, length: int | None = None) -> bytes:
    """One message as a server sends it; a false version or length on demand."""
    return struct.pack("=IIII", kind, 16 + len(body) if length is None else length, version, 0) + body


def opened(stream: int, *, fd: int | None = None, flags: int = 0, path: bytes = b"") -> bytes:
    """The request to write to a stream, or with a path to a file."""
    return message(303, struct.pack("=iii", stream, stream if fd is None else fd, flags) + path)


def output(text: bytes, stream: int = 1) -> bytes:
    """Text for a stream, in messages of the size that tmux uses."""
    pieces = [text[at : at + 16000] for at in range(0, len(text), 16000)]
    return b"".join(message(304, struct.pack("=i", stream) + piece) for piece in pieces)


def finished(status: int = 0, text: bytes = b"") -> bytes:
    """The end of an answer."""
    return message(203, struct.pack("=i", status) + text)


def pane_row(nonce: str, number: int, pane_pid: int = 0) -> str:
    """The record of a pane in a window of its own."""
    return pane_record(
        nonce,
        pane_id=f"%{number}",
        window_id=f"@{number}",
        window_index=str(number),
        window_active="0",
        pane_pid=str(pane_pid),
    )


def kinds(stream: bytes | bytearray) -> list[int]:
    """The types of the whole messages in a stream; the length's upper half is flags to some versions."""
    found = []
    at = 0
    while len(stream) >= at + 16:
        kind, length = struct.unpack_from("=IH", stream, at)
        if len(stream) < at + length:
            break
        found.append(kind)
        at += length
    return found


@dataclass
class Client:
    """One connection, what came over it, its log, and the folder whose files an attack names."""

    connection: socket.socket
    folder: Path
    log: int
    received: bytearray = field(default_factory=bytearray)

    @property
    def nonce(self) -> str:
        """The nonce of the question, out of its bytes."""
        found = re.search(rb"([0-9a-f]{16})s:", self.received)
        assert found
        return found[1].decode()

    def receive(self) -> bool:
        """Take more of what the client says; False at its end."""
        try:
            data = self.connection.recv(65536)
        except ConnectionError:
            return False
        self.received += data
        os.write(self.log, data)
        return bool(data)


def question(client: Client) -> None:
    """Wait until the whole command has arrived."""
    while COMMAND not in kinds(client.received):
        if not client.receive():
            raise ConnectionError("the client hung up without a question")


def reply(client: Client) -> None:
    """Wait for anything more from the client."""
    client.receive()


def send(data: bytes) -> Step:
    """Say these bytes."""

    def step(client: Client) -> None:
        client.connection.sendall(data)

    return step


def send_path(build: Callable[[bytes], bytes], name: str) -> Step:
    """Say a message that names a file in the folder."""

    def step(client: Client) -> None:
        client.connection.sendall(build(os.fsencode(client.folder / name) + b"\0"))

    return step


def send_listing(rows: Callable[[str], str], pid: Callable[[], int] = os.getpid) -> Step:
    """Answer the question with rows of our own making."""

    def step(client: Client) -> None:
        printed = server_record(client.nonce, pid=str(pid())) + rows(client.nonce)
        client.connection.sendall(opened(1) + output(printed.encode()) + finished())

    return step


def send_rows_again_and_again(times: int) -> Step:
    """Answer the question with one and the same row."""

    def step(client: Client) -> None:
        rows = pane_row(client.nonce, 0) * 1000
        client.connection.sendall(opened(1) + output(server_record(client.nonce).encode()))
        for _ in range(times // 1000):
            client.connection.sendall(output(rows.encode()))
        client.connection.sendall(finished())

    return step


def for_ever(data: bytes, pause: float = 0.0) -> Step:
    """Say these bytes again and again until the client hangs up."""

    def step(client: Client) -> None:
        while True:
            client.connection.sendall(data)
            time.sleep(pause)

    return step


def hang(client: Client) -> None:
    """Say nothing until the client hangs up."""
    while client.receive():
        pass


def deaf(client: Client) -> None:
    """Neither say nor hear anything for longer than any test lasts."""
    time.sleep(3600)


def hang_up(client: Client) -> None:
    """Close at once."""
    client.connection.close()


_READ = "secret"
_WRITTEN = "planted"


def _read_request(path: bytes) -> bytes:
    return message(300, struct.pack("=ii", 3, -1) + path)


def _write_request(path: bytes) -> bytes:
    return opened(3, fd=-1, flags=os.O_TRUNC, path=path)


SCRIPTS: dict[str, tuple[Step, ...]] = {
    "honest": (question, send_listing(lambda nonce: pane_row(nonce, 0))),
    "read-file": (question, send_path(_read_request, _READ), hang),
    "write-file": (
        question,
        send_path(_write_request, _WRITTEN),
        reply,
        send(output(b"owned\n", 3) + message(306, struct.pack("=i", 3)) + finished()),
    ),
    "write-file-as-stdout": (question, send_path(lambda p: opened(1, path=p), _WRITTEN), hang),
    "read-stdin": (question, send(message(300, struct.pack("=ii", 0, 0) + b"-\0")), hang),
    "write-to-stdin": (question, send(opened(0, fd=0)), hang),
    "write-unopened-stream": (question, send(opened(1) + output(b"x", 7)), hang),
    "output-before-open": (question, send(output(b"x")), hang),
    "open-twice": (question, send(opened(1) + opened(1)), hang),
    "shell": (question, send(message(209, b"/bin/sh\0")), hang),
    "exec": (question, send(message(217, b"touch planted\0/bin/sh\0")), hang),
    "lock": (question, send(message(206, b"touch planted\0")), hang),
    "suspend": (question, send(message(214)), hang),
    "detach-kill": (question, send(message(202)), hang),
    "shutdown": (question, send(message(210)), hang),
    "unknown-message": (question, send(message(4711)), hang),
    "other-version": (question, send(message(12, version=7)), hang),
    "other-version-unasked": (send(message(12, version=7)), hang_up),
    "short-length": (question, send(message(304, length=3)), hang),
    "huge-length": (question, send(message(304, length=0x7FFFFFFF)), hang),
    "long-length": (question, send(message(304, b"x" * 20000)), hang),
    "short-open": (question, send(message(303, b"x")), hang),
    "short-output": (question, send(message(304, b"x")), hang),
    "short-exit": (question, send(message(203, b"x")), hang),
    "garbage": (question, send(bytes(range(256)) * 64), hang),
    "flood": (question, send(opened(1)), for_ever(output(b"x" * 160000))),
    "flood-of-requests": (question, for_ever(opened(1) * 1000)),
    "flood-before-question": (for_ever(message(304, b"x" * 16000)),),
    "trickle": (question, send(opened(1)), for_ever(output(b"x"), 0.02)),
    "trickle-of-bytes": (question, for_ever(b"\0", 0.02)),
    "hang": (question, hang),
    "deaf": (deaf,),
    "close-at-once": (hang_up,),
    "close-after-question": (question, hang_up),
    "close-in-answer": (question, send(opened(1) + output(b"half")), hang_up),
    "success-without-a-byte": (question, send(finished())),
    "success-without-a-pane": (question, send(opened(1) + output(b"x") + finished())),
    "refused": (question, send(finished(0, b"access not allowed\0"))),
    "read-only": (question, send(opened(2) + output(b"client is read-only\n", 2) + finished(1))),
    "no-session": (question, send(opened(2) + output(b"no current target\n", 2) + finished(1))),
    "other-error": (question, send(opened(2) + output(b"\x1b]0;owned\x07 fails\n", 2) + finished(1))),
    "claims-init": (question, send_listing(lambda nonce: pane_row(nonce, 0), lambda: 1)),
    "claims-pane": (question, send_listing(lambda nonce: pane_row(nonce, 0, pane_pid=1))),
    "claims-impossible-pane": (question, send_listing(lambda nonce: pane_row(nonce, 0, pane_pid=1 << 40))),
    "many-panes": (question, send_listing(lambda nonce: "".join(pane_row(nonce, n) for n in range(25_000)))),
    "million-panes": (question, send_rows_again_and_again(1_000_000)),
}


def _is_ours(connection: socket.socket) -> bool:
    """Whether the client is the test or a child of it.

    Any exporter of this user finds the socket and asks too; its question is none of the test's.
    """
    peer, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        status = Path(f"/proc/{peer}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return os.getppid() in (peer, int(status.partition("\nPPid:")[2].split()[0]))


def serve(path: str, script: str, uid: int | None) -> None:
    """Listen, as another user if told so, and play the script to one client after the other."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    log = os.open(path + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    # The kernel notes the caller of listen as the peer, so this comes after the change of user.
    listener.listen(16)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        if not _is_ours(connection):
            connection.close()
            continue
        client = Client(connection, Path(path).parent, log)
        with connection, contextlib.suppress(OSError):
            for step in SCRIPTS[script]:
                step(client)
            hang(client)


@contextlib.contextmanager
def start(path: Path, script: str, uid: int | None = None) -> Iterator[int]:
    """Run one hostile server on `path`; gives its pid."""
    command = [sys.executable, "-m", "tests.support.tmux.hostile", str(path), script]
    if uid is not None:
        command += ["--uid", str(uid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"listening\n"
            yield process.pid
        finally:
            process.kill()


def received(path: Path, expected: int = 0) -> bytes:
    """What the clients of the server on `path` said, once at least `expected` bytes of it are noted."""
    log = Path(f"{path}.log")
    wait_for(lambda: log.stat().st_size >= expected, "the hostile server notes what it heard")
    return log.read_bytes()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("script", choices=SCRIPTS)
    parser.add_argument("--uid", type=int)
    arguments = parser.parse_args()
    serve(arguments.socket, arguments.script, arguments.uid)


if __name__ == "__main__":
    main()
