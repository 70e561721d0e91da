"""What tmux prints for our question, made by hand: the other side of the parser in tests.

The order of the fields is written out here once more, on purpose: it is what the parser is held against.
"""

from tmux_exporter.sources.tmux.ask import Answer

NONCE = "0123456789abcdef"

_NUMBERS = {
    "pane_id": "%0", "session_id": "$0", "window_id": "@0", "window_index": "0", "pane_index": "0",
    "pane_active": "1", "window_active": "1", "pane_dead": "0", "automatic_rename": "1", "pane_pid": "4711",
    "pane_dead_status": "", "pane_dead_signal": "", "history_size": "5", "history_limit": "2000",
    "history_bytes": "768", "session_created": "1700000000", "session_activity": "1700000001",
    "session_attached": "0", "window_activity": "1700000002",
}  # fmt: skip
_TEXTS = {
    "session_name": "main", "session_group": "", "window_name": "bash", "agent": "", "role": "",
    "protect": "", "pane_title": "host",
}  # fmt: skip


def pane_record(nonce: str = NONCE, *, asked_as: str | None = None, **changes: str) -> str:
    """One record of a pane; `changes` are fields by name, options without their `@`."""
    unknown = changes.keys() - _NUMBERS.keys() - _TEXTS.keys()
    assert not unknown, unknown
    numbers = {name: changes.get(name, value) for name, value in _NUMBERS.items()}
    if asked_as is None:
        del numbers["pane_dead_signal"]
    texts = (changes.get(name, value) for name, value in _TEXTS.items())
    return f"{nonce}p:{':'.join(numbers.values())}{nonce}" + "".join(t + nonce for t in texts) + "\n"


def server_record(nonce: str = NONCE, *, pid: str = "999", version: str = "3.3a") -> str:
    """The record of server facts."""
    return f"{nonce}s:{pid}{nonce}{version}{nonce}\n"


def client_record(nonce: str = NONCE) -> str:
    """The record of one attached client."""
    return f"{nonce}c{nonce}\n"


def answer(printed: str, *, asked_as: str | None = None, empty: bool = False) -> Answer:
    """A complete answer with this output."""
    return Answer(
        socket="/nowhere", seconds=0.01, sent_at=12.5, peer=999,
        stdout=printed.encode("utf-8", "surrogateescape"), nonce=NONCE, failure=None, detail="",
        asked_as=asked_as, empty=empty,
    )  # fmt: skip
