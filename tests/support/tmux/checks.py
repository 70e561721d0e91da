"""What must hold on every tmux version: checks on one real server, the installed one or another."""

import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.support.tmux.under_test import TmuxUnderTest
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing, Pane, QueryFailure
from tmux_exporter.facts.tmux_quirks import DEAD_SIGNAL, ESCAPED_NAMES, LINES_CUT
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.parse_listing import ListingError, parse
from tmux_exporter.sources.tmux.protocol import request
from tmux_exporter.sources.tmux.query import (
    VARIABLES,
    Record,
    allowed,
    command_list,
    end_mark,
    new_nonce,
    screen_list,
    screen_mark,
)
from tmux_exporter.sources.tmux.screens import LAST_ROWS, parse_screens


def hostile_names(mark: Path) -> tuple[bytes, ...]:
    """Names that break parsers, and names that make `mark` if anything in them is ever executed."""
    touch = b"touch " + bytes(mark)
    return (
        b"'quoted' \"twice\" `" + touch + b"`", b"two\nlines", b"tab\there", b"esc\x1b[31mred",
        b"unit\x1fseparator", b"#(" + touch + b")", b"$(" + touch + b")", b"; " + touch + b";",
        b"#{pane_id} #{E:@agent} #[fg=red]", b"x" * 200, "crab 🦀 e\u0301 日本".encode(),
        "symbol\u241efor separator".encode(), b"invalid \xff\xfe\xc3 utf-8", b"back\\slash $HOME ${HOME}",
        b"a:b.c", b"p:%0:$0:@0", b"=exact", b" ",
    )  # fmt: skip


def unended(text: bytes) -> bytes:
    """A text as an argument of tmux, in which a last `;` would end the command."""
    return text[:-1] + b"\\;" if text.endswith(b";") else text


def unexpanded(name: bytes) -> bytes:
    """A name as an argument that tmux expands as a format, in which `##` is one `#`."""
    return unended(name.replace(b"#", b"##"))


def furnish(server: TmuxUnderTest) -> None:
    """Linked and grouped windows, dead and empty panes, copy mode, a zoomed pane, a second server option."""
    server.ok("set-option", "-g", "remain-on-exit", "on")
    server.ok("new-session", "-d", "-s", "base", "-x", "80", "-y", "24", "-n", "first", "sleep 3600")
    server.ok("new-window", "-d", "-t", "base:5", "-n", "linked", "sleep 3600")
    server.ok("split-window", "-d", "-t", "base:5", "sleep 3600")
    server.ok("new-session", "-d", "-t", "base", "-s", "twin", "-x", "80", "-y", "24")
    server.ok("new-session", "-d", "-s", "guest", "-x", "80", "-y", "24", "sleep 3600")
    server.ok("link-window", "-d", "-s", "base:5", "-t", "guest:9")
    server.ok("new-window", "-d", "-t", "guest:20", "-n", "exits", "exit 3")
    server.ok("new-window", "-d", "-t", "guest:21", "-n", "killed", "kill -9 $$")
    server.ok("new-window", "-d", "-t", "guest:22", "-n", "copying", "sleep 3600")
    server.ok("copy-mode", "-t", "guest:22")
    server.ok("new-window", "-d", "-t", "guest:23", "-n", "empty", "sleep 3600")
    server.ok("split-window", "-d", "-t", "guest:23", "")
    server.ok("resize-pane", "-Z", "-t", "guest:23")
    for window in ("guest:20", "guest:21"):
        wait_for(partial(_is_dead, server, window), f"{window} is dead")


def _is_dead(server: TmuxUnderTest, target: str) -> bool:
    return server.value("#{pane_dead}", target) == b"1"


def agrees_with_own_client(server: TmuxUnderTest) -> None:
    """Byte for byte what the server's own client prints, for the base question and for the version's own."""
    for version in (None, server.version):
        answer = server.ask(version)
        assert answer.failure is None, answer
        assert answer.stdout == server.run(*command_list(answer.nonce, version)).stdout
        assert b"main" in answer.stdout


def topology_is_right(server: TmuxUnderTest) -> None:
    """What `furnish` made, each thing once, with the right owner and the right end."""
    listing = server.listing(server.version)
    ids = server.ok("list-panes", "-a", "-F", "#{pane_id}").decode().split()
    assert len(ids) > len(set(ids))
    assert [pane.id for pane in listing.panes] == sorted(set(ids), key=lambda pane: int(pane[1:]))
    names = {session.id: session.name for session in listing.sessions}
    by_window = {window.id: window.name for window in listing.windows}
    linked = [pane for pane in listing.panes if by_window[pane.window_id] == "linked"]
    assert [(names[pane.session_id], pane.window_index, pane.index) for pane in linked] == [
        ("base", 5, 0),
        ("base", 5, 1),
    ]
    holders = {(names[k.session_id], k.index) for k in listing.links if by_window[k.window_id] == "linked"}
    assert holders == {("base", 5), ("twin", 5), ("guest", 9)}
    groups = {session.name: session.group for session in listing.sessions}
    assert groups["base"] == groups["twin"] != groups["guest"] == ""
    exits, killed = _only(listing, "exits"), _only(listing, "killed")
    assert (exits.dead, exits.pid, exits.dead_status, exits.dead_signal) == (True, None, 3, None)
    assert (killed.dead, killed.pid) == (True, None)
    assert killed.dead_signal == (9 if DEAD_SIGNAL.holds(server.version) else None)
    pids = [pane.pid for pane in listing.panes if by_window[pane.window_id] == "empty"]
    assert len(pids) == 2
    assert pids.count(None) == 1
    for pane in listing.panes:
        shown = server.value("#{pane_pid}|#{pane_dead}|#{history_limit}|#{history_bytes}", pane.id).decode()
        pid, dead, limit, size = shown.split("|")
        assert (pane.dead, pane.history_limit_lines, pane.history_bytes) == (
            (dead == "1", int(limit), int(size))
        )
        assert pane.pid == (int(pid or 0) or None if not pane.dead else None)


def _only(listing: Listing, window_name: str) -> Pane:
    (window,) = [window.id for window in listing.windows if window.name == window_name]
    (pane,) = [pane for pane in listing.panes if pane.window_id == window]
    return pane


def clients_are_counted(server: TmuxUnderTest) -> None:
    """Attached clients count, ours does not."""
    assert server.listing().clients == 0
    command = [str(server.program), "-S", str(server.path), "-C", "attach-session", "-t", "main"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        wait_for(lambda: server.listing(server.version).clients == 1, "the attached client is counted")
        assert [s.attached for s in server.listing().sessions if s.name == "main"] == [1]
        # A control client ends by itself at the end of its input; the server is never surprised by it.
        assert client.stdin
        client.stdin.close()
        client.wait()
    wait_for(lambda: server.listing().clients == 0, "the client is gone")


def names_come_through(server: TmuxUnderTest, mark: Path) -> None:
    """Hostile names and options: every id right, every text what the own client shows, nothing executed."""
    options: dict[str, bytes] = {}
    given = 0
    for number, name in enumerate(hostile_names(mark)):
        ids = ("-P", "-F", "#{session_id} #{pane_id}")
        made = server.run("new-session", "-d", *ids, "-s", unexpanded(name), "sleep 3600")
        given += made.returncode == 0
        if made.returncode != 0:
            made = server.run("new-session", "-d", *ids, "-s", f"refused-{number}", "sleep 3600")
        session, pane_id = made.stdout.decode().split()
        given += server.run("new-window", "-d", "-t", f"{session}:7", "-n", unexpanded(name)).returncode == 0
        given += server.run("rename-window", "-t", pane_id, unexpanded(name)).returncode == 0
        server.ok("set-option", "-p", "-t", pane_id, "@agent", unended(name))
        server.ok("set-option", "-w", "-t", pane_id, "@role", unended(name))
        options[pane_id] = name
    # Versions refuse some of these names, but never half of them.
    assert given > 1.5 * len(options)
    for version in (None, server.version):
        listing = server.listing(version)
        sessions = {session.id: session.name for session in listing.sessions}
        windows = {window.id: window.name for window in listing.windows}
        assert len(options) < len(sessions) < len(windows) == len(listing.panes)
        for pane in listing.panes:
            texts = {
                "#{session_name}": sessions[pane.session_id],
                "#{window_name}": windows[pane.window_id],
                "#{@agent}": pane.agent_option,
                "#{@role}": pane.role_option,
            }
            title = server.value("#{pane_title}", pane.id).decode("utf-8", "surrogateescape")
            assert pane.title_sign == "" or title.startswith(pane.title_sign)
            for template, text in texts.items():
                assert server.value(template, pane.id) == text.encode("utf-8", "surrogateescape")
            if not ESCAPED_NAMES.holds(server.version):
                # Those two print control bytes and broken UTF-8 escaped; all others as they are.
                expected = options.get(pane.id, b"").decode("utf-8", "surrogateescape")
                assert (pane.agent_option, pane.role_option) == (expected, expected)
    agrees_with_own_client(server)
    assert not mark.exists()


def a_pane_is_protected_from_above(server: TmuxUnderTest) -> None:
    """`@protect` holds for a pane where it, its window, its session or all sessions have it."""
    for session in ("one", "two"):
        server.ok("new-session", "-d", "-s", session, "sleep 3600")
        server.ok("split-window", "-d", "-t", f"{session}:", "sleep 3600")
    sessions = {each.id: each.name for each in server.listing().sessions}

    def protected() -> list[str]:
        return sorted(sessions[pane.session_id] for pane in server.listing().panes if pane.protected)

    assert protected() == []
    server.ok("set-option", "-p", "-t", "one:", "@protect", "on")
    assert protected() == ["one"]
    server.ok("set-option", "-pu", "-t", "one:", "@protect")
    server.ok("set-option", "-w", "-t", "one:", "@protect", "on")
    assert protected() == ["one", "one"]
    server.ok("set-option", "-wu", "-t", "one:", "@protect")
    server.ok("set-option", "-t", "two", "@protect", "1")
    assert protected() == ["two", "two"]
    server.ok("set-option", "-p", "-t", "two:", "@protect", "off")
    assert protected() == ["two"], "the nearest word counts"
    server.ok("set-option", "-g", "@protect", "on")
    assert len(protected()) == len(server.listing().panes) - 1


def hooks_do_not_blind(server: TmuxUnderTest) -> None:
    """What a user's hooks print or get wrong after our commands is not ours."""
    before = server.listing()
    hooks = {
        "after-display-message": ("list-sessions",),
        "after-list-clients": ("display-message -p 'from a hook'",),
        "after-list-panes": (
            "display-message -p 'from a hook'",
            "kill-session -t nobody",
            "run-shell 'echo hi'",
            "run-shell false",
        ),
    }
    for hook, commands in hooks.items():
        for command in commands:
            server.ok("set-hook", "-g", hook, command)
            for transport in ("socket", "auto"):
                got = server.listing(server.version, transport)
                assert (got.panes, got.clients, got.links) == (before.panes, 0, before.links), (hook, command)
        server.ok("set-hook", "-gu", hook)


def every_allowed_variable_is_harmless(server: TmuxUnderTest) -> None:
    """Each variable alone, over every kind of pane: the server lives, and its own client prints the same."""
    for variable in VARIABLES:
        if variable not in allowed(variable.record, server.version):
            continue
        command = (
            ("display-message", "-p") if variable.record is Record.SERVER else ("list-panes", "-a", "-F")
        )
        question = (*command, f"#{{{variable.name}}}")
        talk = server.talk(question)
        assert talk.failure is None, (variable, talk.detail)
        assert talk.stdout == server.run(*question).stdout, variable
        assert server.alive, variable


def _cut_everywhere(server: TmuxUnderTest, stream: bytes) -> None:
    before = server.descriptors()
    for cut in range(len(stream) + 1):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.path))
            connection.sendall(stream[:cut])
    for length in range(0, 400, 8):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.path))
            connection.sendall(stream)
            connection.recv(length + 1)
    assert server.alive
    assert server.descriptors() == before


def cuts_are_harmless(server: TmuxUnderTest) -> None:
    """A connection closed at every byte of the question and of the answer: nobody dies, nothing leaks."""
    _cut_everywhere(server, request(command_list(new_nonce(), server.version), os.getpid()))
    agrees_with_own_client(server)


def asks_for(server: TmuxUnderTest, seconds: float) -> int:
    """Ask without a pause while windows come and go; gives the number of answers."""
    before = server.descriptors()
    until = time.monotonic() + seconds
    answers = cut = 0
    while time.monotonic() < until:
        questions = [server.question(), server.question(server.version)] * 2
        got = ask_all(questions, uid=os.getuid(), timeout=20, transport="socket", clock=SystemClock())
        for answer in got:
            assert answer.failure is None, answer
            cut += _is_cut(server, answer)
        answers += len(got)
        if answers % 80 == 0:
            window = server.ok("new-window", "-d", "-P", "-F", "#{window_id}", "-t", "main:", "sleep 3600")
            server.ok("kill-window", "-t", window)
    assert server.alive
    assert server.descriptors() == before
    assert cut <= answers / 1000
    return answers


def _is_cut(server: TmuxUnderTest, answer: Answer) -> bool:
    """False for a listing; True where tmux cut one short, which it may do (LINES_CUT), and it was noticed."""
    try:
        parse(answer, ProcessId(server.pid, 1))
    except ListingError as error:
        assert error.failure is QueryFailure.PARTIAL
        assert LINES_CUT.holds(server.version), error.detail
        return True
    return False


def pauses_never_make_a_false_listing(server: TmuxUnderTest, rounds: int) -> int:
    """Stop the server somewhere in its answer, as a busy machine does: the truth comes of it, or a refusal.

    Gives the number of answers that were cut.
    """
    for number in range(40):
        server.ok("new-window", "-d", "-t", "main:", "-n", f"window {number}", "sleep 3600")
    truth = server.listing(server.version)
    cut = 0
    for number in range(rounds):
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(server.ask, server.version)
            time.sleep(number % 20 / 10_000)
            os.kill(server.pid, signal.SIGSTOP)
            # Longer than the limit of LINES_CUT.
            time.sleep(0.11)
            os.kill(server.pid, signal.SIGCONT)
            answer = asked.result()
        assert answer.failure is None, answer
        if _is_cut(server, answer):
            cut += 1
            continue
        listing = parse(answer, ProcessId(server.pid, 1))
        assert (listing.panes, listing.windows, listing.links) == (truth.panes, truth.windows, truth.links)
    assert server.alive
    return cut


OTHER_NONCE = "fedcba9876543210"
DIALOG = b"Do you want to proceed?\r\n\xe2\x9d\xaf 1. Yes\r\nEsc to cancel"


def hostile_texts() -> dict[str, bytes]:
    """What agents and others may write into a pane, by the name of its window."""
    marks = f"{screen_mark(OTHER_NONCE, '%0')}\r\nlie\r\n{end_mark(OTHER_NONCE)}"
    return {
        "plain": b"one\r\ntwo",
        "empty": b"",
        "colours": b"\x1b[31mred\x1b[0m \x1b[7m\x1b[1mbold\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07",
        "title": b"\x1b]2;#(touch /nowhere)\x07\x1b]0;x\x07after",
        "wide": "日本語 🦀 e\u0301 👩‍👩‍👧 ｆｕｌｌ ".encode() * 9,
        "broken": b"\xff\xfe\xc3(\x80\xe2\x9d bad \x00\x07\x08\x0e\x0f end",
        "format": b"#{pane_id} #(touch /nowhere) %3 ; kill-server ;",
        "marks": marks.encode(),
        "above": DIALOG + b"\r\n" + b"later\r\n" * 100,
        "alternate": b"under\x1b[?1049h\x1b[2J\x1b[Hover",
        "full": b"x" * 80 * 24,
        "reset": b"gone\x1bc\x1b[3Jleft",
    }


def screens_are_what_their_panes_show(server: TmuxUnderTest, folder: Path) -> None:
    """The screens of hostile panes, byte for byte what the server's own client prints; nothing is changed."""
    panes: dict[str, str] = {}
    for name, text in hostile_texts().items():
        file = folder / f"{name}.txt"
        file.write_bytes(text)
        command = f"stty -opost; cat {file}; exec sleep 3600"
        made = server.ok("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main:", "-n", name, command)
        panes[name] = made.decode()
    furnish(server)
    every = [pane.id for pane in server.listing().panes]
    assert set(panes.values()) < set(every)

    def quiet() -> bool:
        return all(server.value("#{pane_current_command}", pane) == b"sleep" for pane in panes.values())

    wait_for(quiet, "all texts are written")
    own = {pane: server.run("capture-pane", "-p", "-t", pane).stdout for pane in every}
    state = _state(server)
    for at in range(0, len(every), 16):
        some = every[at : at + 16]
        answer = _ask_screens(server, some)
        assert answer.failure is None, answer
        nonce = answer.nonce
        expected = [f"{screen_mark(nonce, pane)}\n".encode() + own[pane] for pane in some]
        assert answer.stdout == b"".join(expected) + f"{end_mark(nonce)}\n".encode()
        assert set(parse_screens(answer.stdout, nonce)) == set(some)
    rows = {name: _screen(server, pane) for name, pane in panes.items()}
    assert (rows["plain"], rows["empty"]) == (("one", "two"), ())
    assert (rows["colours"], rows["above"]) == (("red bold link",), ("later",) * (LAST_ROWS - 1))
    assert (rows["alternate"], rows["marks"][1:2]) == (("over",), ("lie",))
    assert "日本語 🦀" in rows["wide"][0]
    assert not any(ord(sign) < 32 for row in rows.values() for line in row for sign in line)
    assert _state(server) == state
    assert server.alive


def a_pane_that_is_gone_ends_the_screens(server: TmuxUnderTest) -> None:
    """What stands before it is there, what stands behind it is not, and neither is mistaken."""
    gone = server.ok("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main:", "sleep 3600").decode()
    server.ok("kill-pane", "-t", gone)
    answer = _ask_screens(server, ["%0", gone, "%0"])
    assert answer.failure is None, answer
    assert set(parse_screens(answer.stdout, answer.nonce)) == {"%0"}
    for pane in (gone, "%9999999999"):
        answer = _ask_screens(server, [pane, "%0"])
        assert parse_screens(answer.stdout, answer.nonce) == {}
    server.ok("set-hook", "-g", "after-capture-pane", "display-message -p 'from a hook'")
    answer = _ask_screens(server, ["%0"])
    assert set(parse_screens(answer.stdout, answer.nonce)) == {"%0"}
    server.ok("set-hook", "-gu", "after-capture-pane")
    assert server.alive


def cuts_of_screens_are_harmless(server: TmuxUnderTest) -> None:
    """A connection closed at every byte of this question and of its answer."""
    _cut_everywhere(server, request(screen_list(new_nonce(), ["%0", "%0"]), os.getpid()))


def _ask_screens(server: TmuxUnderTest, panes: list[str], transport: str = "socket") -> Answer:
    question = Question(socket=str(server.path), version=None, screens=tuple(panes))
    return ask_all([question], uid=os.getuid(), timeout=20, transport=transport, clock=SystemClock())[0]


def _screen(server: TmuxUnderTest, pane: str) -> tuple[str, ...]:
    answer = _ask_screens(server, [pane])
    return parse_screens(answer.stdout, answer.nonce)[pane]


def _state(server: TmuxUnderTest) -> tuple[bytes, ...]:
    """What a look must not change: buffers, modes, histories, when windows moved, what is active."""
    panes = "#{pane_id} #{pane_in_mode} #{history_size} #{window_activity} #{pane_active} #{pane_title}"
    return (
        server.run("list-buffers").stdout,
        server.ok("list-panes", "-a", "-F", panes),
        server.ok("list-sessions", "-F", "#{session_id} #{session_activity} #{session_attached}"),
    )
