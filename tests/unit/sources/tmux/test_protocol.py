"""The request, byte for byte, and every turn that an answer can take."""

import struct
from pathlib import Path

import pytest

from tests.support.tmux.hostile import finished, message, opened, output
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.protocol import MAX_ANSWER, Conversation, frame, request
from tmux_exporter.sources.tmux.query import command_list, screen_list
from tmux_exporter.sources.tmux.request_check import UnsafeRequestError, check_request

FIXTURES = Path(__file__).parents[3] / "fixtures" / "tmux"
GOLDEN_NONCE = "0123456789abcdef"
GOLDEN_PID = 0x01020304
READY = struct.pack("=IIIIii", 305, 24, 8, 77, 1, 0)
EXITING = struct.pack("=IIII", 205, 16, 8, 77)


def golden(name: str) -> bytes:
    return bytes.fromhex((FIXTURES / f"request-{name}.hex").read_text())


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (None, "base"), ("3.1c", "base"), ("3.2a", "base"), ("master", "base"), ("2.7-rc", "base"),
        ("3.3", "3.3"), ("3.3a", "3.3"), ("next-3.8", "3.3"), ("3.8", "3.3"), ("4.0", "3.3"),
    ],
)  # fmt: skip
def test_the_request_is_the_golden_one(version: str | None, name: str) -> None:
    assert request(command_list(GOLDEN_NONCE, version), GOLDEN_PID) == golden(name)


def test_the_request_for_screens_is_the_golden_one() -> None:
    assert request(screen_list(GOLDEN_NONCE, ("%3", "%14")), GOLDEN_PID) == golden("screens")


@pytest.mark.parametrize(
    "pane", ["", "%", "3", "main", "=main:", "@1", "%1;", "%1\n", "%-1", "%12345678901", "{current}"]
)
def test_a_screen_is_asked_for_by_the_id_of_its_pane_alone(pane: str) -> None:
    with pytest.raises(ValueError, match="% and digits"):
        screen_list(GOLDEN_NONCE, ("%1", pane))
    with pytest.raises(UnsafeRequestError):
        check_request(request(("capture-pane", "-p", "-t", pane), 77))


def test_no_pane_is_no_question() -> None:
    with pytest.raises(ValueError, match="% and digits"):
        screen_list(GOLDEN_NONCE, ())
    with pytest.raises(ValueError, match="16 hexadecimal"):
        screen_list("x", ("%1",))


@pytest.mark.parametrize("name", ["base", "3.3"])
def test_only_nonce_and_pid_vary(name: str) -> None:
    version = None if name == "base" else name
    stream = request(command_list("fedcba9876543210", version), 4242)
    restored = stream.replace(b"fedcba9876543210", GOLDEN_NONCE.encode())
    restored = restored.replace(struct.pack("<i", 4242), struct.pack("<i", GOLDEN_PID))
    assert restored == golden(name)


@pytest.mark.parametrize("nonce", ["", "0123456789ABCDEF", "0123456789abcde", "#(touch /tmp/x);", "0" * 17])
def test_a_nonce_is_nothing_else(nonce: str) -> None:
    with pytest.raises(ValueError, match="16 hexadecimal"):
        command_list(nonce, None)


@pytest.mark.parametrize("name", ["base", "3.3", "screens"])
def test_the_golden_request_passes_the_checker(name: str) -> None:
    check_request(golden(name))


def test_the_checker_refuses_every_cut_and_every_addition() -> None:
    stream = golden("3.3")
    for cut in range(len(stream)):
        with pytest.raises(UnsafeRequestError):
            check_request(stream[:cut])
    for more in (b"\0", frame(205, b"", GOLDEN_PID), stream):
        with pytest.raises(UnsafeRequestError):
            check_request(stream + more)


def test_the_checker_refuses_every_changed_byte_outside_the_arguments() -> None:
    stream = golden("3.3")
    for at in range(stream.index(b"display-message")):
        for bit in range(8):
            changed = bytearray(stream)
            changed[at] ^= 1 << bit
            with pytest.raises(UnsafeRequestError):
                check_request(bytes(changed))


@pytest.mark.parametrize(
    "arguments",
    [
        ("kill-server",), ("list-panes", ";", "kill-server"), ("list-panes", ";"), (";", "list-panes"),
        ("list-panes", "-t", "@1"), ("list-panes", "-t@1"), ("list-panes", "-at", "@1"),
        ("list-panes", "-f", "1"), ("list-panes", "-F", "#(touch /tmp/x)"),
        ("list-panes", "-F", "#{pane_id};"), ("list-panes", "-F", "#{E:@agent}"),
        ("list-panes", "-F", "#{T:@agent}"), ("list-panes", "-F", "#{s/a/#{@agent}/:pane_id}"),
        ("list-panes", "-F", "#{?pane_dead,#(touch /tmp/x),}"), ("list-panes", "-F", "#S"),
        ("list-panes", "-F", "#"), ("list-panes", ""), ("capture-pane",), ("capture-pane", "-p"),
        ("capture-pane", "-t", "%1"), ("capture-pane", "-p", "-t", "%1", "-S", "-"),
        ("capture-pane", "-p", "-S", "-", "-t", "%1"), ("capture-pane", "-pe", "-t", "%1"),
        ("capture-pane", "-p", "-t", "%1", ""), ("capture-pane", "-p", "-t", "%1", "%2"),
        ("capture-pane", "-b", "x", "-t", "%1"), ("display-message", "-p", "-t", "%1"),
        ("list-panes", "capture-pane", "-p", "-t", "%1"),
        ("capture-pane", "-p", "-t", "%1", ";", "kill-pane", "-t", "%1"), ("list-panes", "-F", "a\nb"),
        ("list-panes", "-F", "x" * 16384),
    ],
)  # fmt: skip
def test_the_checker_refuses_commands_that_do_more_than_look(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UnsafeRequestError):
        check_request(request(arguments, 77))


@pytest.mark.parametrize("pid", [0, 1 << 31])
def test_the_checker_refuses_pids_that_are_none(pid: int) -> None:
    stream = golden("base").replace(struct.pack("<i", GOLDEN_PID), struct.pack("<I", pid))
    with pytest.raises(UnsafeRequestError):
        check_request(stream)


ANSWER = (
    opened(1)
    + output(b"first " * 4000)
    + output(b"second")
    + opened(2)
    + output(b"a word", 2)
    + message(306, struct.pack("=i", 1))
    + finished(0)
)


def test_an_answer_is_the_same_in_whatever_pieces_it_comes() -> None:
    for cut in range(0, len(ANSWER) + 1, 7):
        talk = Conversation(77)
        said = talk.feed(ANSWER[:cut]) + talk.feed(ANSWER[cut:])
        assert said == READY + READY.replace(b"\1\0\0\0\0\0\0\0", b"\2\0\0\0\0\0\0\0") + EXITING
        assert (talk.stdout, talk.stderr) == (b"first " * 4000 + b"second", b"a word")
        assert (talk.done, talk.exit_status, talk.failure) == (True, 0, None)


def test_an_answer_byte_by_byte() -> None:
    talk = Conversation(77)
    assert len(b"".join(talk.feed(ANSWER[at : at + 1]) for at in range(len(ANSWER)))) == 2 * 24 + 16
    assert talk.done
    assert talk.failure is None


def test_nothing_is_done_before_the_end_and_nothing_counts_after_it() -> None:
    talk = Conversation(77)
    talk.feed(ANSWER[:-1])
    assert not talk.done
    talk.feed(ANSWER[-1:])
    assert talk.feed(opened(1)) == b""
    talk.end()
    assert talk.failure is None


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (message(12, version=7), QueryFailure.PROTOCOL), (message(12), QueryFailure.PROTOCOL),
        (message(304, struct.pack("=i", 1), version=9), QueryFailure.PROTOCOL),
        (message(4711), QueryFailure.PROTOCOL), (message(213, bytes(8200)), QueryFailure.PROTOCOL),
        (message(210), QueryFailure.PARTIAL), (message(304, length=0), QueryFailure.MALFORMED),
        (message(304, length=15), QueryFailure.MALFORMED),
        (message(304, length=16385), QueryFailure.MALFORMED),
        (message(304, length=0x00020014), QueryFailure.MALFORMED),
        (message(304, length=0xFFFFFFFF), QueryFailure.MALFORMED),
        (message(303, b"short"), QueryFailure.MALFORMED), (message(304, b"abc"), QueryFailure.MALFORMED),
        (message(306), QueryFailure.MALFORMED), (message(203, b"abc"), QueryFailure.MALFORMED),
        (output(b"x"), QueryFailure.MALFORMED), (opened(1) + output(b"x", 2), QueryFailure.MALFORMED),
        (opened(0, fd=0), QueryFailure.UNTRUSTED), (opened(3), QueryFailure.UNTRUSTED),
        (opened(1, fd=2), QueryFailure.UNTRUSTED), (opened(1, flags=1), QueryFailure.UNTRUSTED),
        (opened(1, path=b"/tmp/x\0"), QueryFailure.UNTRUSTED),
        (opened(1) + opened(1), QueryFailure.UNTRUSTED),
        (opened(1) + output(b"x", 3), QueryFailure.UNTRUSTED),
        *((message(kind, b"/tmp/x\0"), QueryFailure.UNTRUSTED) for kind in (201, 202, 206, 209, 214, 217)),
        *((message(kind, bytes(8) + b"/tmp/x\0"), QueryFailure.UNTRUSTED) for kind in (300, 301, 307)),
    ],
)  # fmt: skip
def test_what_a_server_may_not_say(data: bytes, failure: QueryFailure) -> None:
    talk = Conversation(77)
    said = talk.feed(data)
    assert (talk.done, talk.failure) == (True, failure)
    assert said in (b"", READY)
    assert talk.detail
    assert talk.feed(ANSWER) == b""


def test_both_layouts_of_the_length_are_read() -> None:
    for flagged in (0x00010000, 0x80000000):
        body = struct.pack("=i", 1) + b"text"
        talk = Conversation(77)
        talk.feed(opened(1) + message(304, body, length=flagged + 16 + len(body)) + finished())
        assert talk.stdout == b"text"


def test_the_end_before_the_exit_is_partial() -> None:
    talk = Conversation(77)
    talk.feed(ANSWER[:-8])
    talk.end()
    assert talk.failure is QueryFailure.PARTIAL


def test_a_flood_is_cut_off() -> None:
    talk = Conversation(77)
    talk.feed(opened(1))
    piece = output(b"x" * 16000)
    rounds = 0
    while not talk.done:
        talk.feed(piece)
        rounds += 1
    assert talk.failure is QueryFailure.UNTRUSTED
    assert rounds == (MAX_ANSWER - len(opened(1))) // len(piece) + 1


def test_the_text_of_the_exit_message_counts_as_complaint() -> None:
    talk = Conversation(77)
    talk.feed(opened(2) + output(b"first\n", 2) + finished(1, b"access not allowed\0"))
    assert (talk.exit_status, talk.stderr) == (1, b"first\naccess not allowed\n")


def test_an_exit_without_a_status_is_success() -> None:
    talk = Conversation(77)
    talk.feed(message(203))
    assert (talk.done, talk.exit_status, talk.failure) == (True, 0, None)
