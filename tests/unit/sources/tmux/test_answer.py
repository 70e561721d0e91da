"""What an answer is worth by its status, its output and its complaints."""

import pytest

from tests.support.tmux.printed import NONCE, pane_record, server_record
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.answer import judge_listing, printable

SERVER = server_record().encode()
LISTING = SERVER + pane_record().encode()


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "failure"),
    [
        (0, LISTING, b"", None),
        # What hooks of the user's add.
        (0, LISTING, b"a hook complains\n", None),
        (1, LISTING, b"can't find session: nope\n", None),
        (1, LISTING, b"access not allowed\n", None),
        (1, LISTING, b"no current target\n", None),
        # What OLD_DIALECT, and a strange server, call success.
        (0, b"", b"", QueryFailure.PROTOCOL),
        (0, b"x", b"", QueryFailure.PARTIAL),
        (0, SERVER, b"", QueryFailure.PARTIAL),
        (0, pane_record("f" * 16).encode(), b"", QueryFailure.PARTIAL),
        (0, b"", b"access not allowed\n", QueryFailure.DENIED),
        (0, SERVER, b"access not allowed", QueryFailure.DENIED),
        (1, b"", b"access not allowed\n", QueryFailure.DENIED),
        (1, b"", b"a hook\nclient is read-only\n", QueryFailure.DENIED),
        (1, SERVER, b"hook: no current target in sight\n", QueryFailure.PARTIAL),
        (1, SERVER, b"unknown command: list-panes\n", QueryFailure.PARTIAL),
        (1, b"", b"server exited unexpectedly\n", QueryFailure.PARTIAL),
        (1, b"", b"can't find session: access not allowed", QueryFailure.PARTIAL),
        (0, b"", b"no current target\n", QueryFailure.PROTOCOL),
    ],
)
def test_failures(status: int, stdout: bytes, stderr: bytes, failure: QueryFailure | None) -> None:
    outcome = judge_listing(status, stdout, stderr, NONCE)
    assert (outcome.failure, outcome.empty) == (failure, False)
    assert outcome.stdout == (b"" if failure else stdout)
    assert bool(outcome.detail) == bool(failure)


@pytest.mark.parametrize("stdout", [b"", SERVER])
@pytest.mark.parametrize("stderr", [b"no current target", b"hook\nno current target\n"])
def test_a_server_without_a_session(stdout: bytes, stderr: bytes) -> None:
    outcome = judge_listing(1, stdout, stderr, NONCE)
    assert (outcome.failure, outcome.empty, outcome.stdout) == (None, True, stdout)


def test_foreign_text_is_safe_to_show() -> None:
    shown = printable(b"\x1b]0;owned\x07 \xff \xe2\x82\xac\nnext" + b"x" * 1000)
    assert shown.isprintable()
    assert shown.isascii()
    assert len(shown) == 120
