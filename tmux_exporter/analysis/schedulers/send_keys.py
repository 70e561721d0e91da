"""Parses the arguments of one `tmux … send-keys …`: its target and server, and that it does nothing else."""

from dataclasses import dataclass
from typing import Never


class OpaqueError(Exception):
    """The reason why a script is opaque."""


def refuse(reason: str) -> Never:
    """Stop parsing: the script is opaque."""
    raise OpaqueError(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One `tmux send-keys`: its `-t`, and the server given by `-S` or `-L`.

    `fallback` is True where it runs only if a command before it fails, as after `||`. `program` is the word
    in the place of `tmux`.
    """

    target: str | None
    socket: str | None
    label: str | None
    fallback: bool = False
    program: str = "tmux"


def read_send(words: list[str]) -> tuple[Send, list[str]]:
    """Parse the words after `tmux`: the send, and the words that say what it types.

    Raises OpaqueError where they do more than one plain `send-keys`.
    """
    socket, label, words = _server_options(words)
    if not words or not is_send_keys(words[0]):
        refuse("it runs other tmux commands too")
    # A word that ends in `;` ends the tmux command, and the next words are another one (all versions).
    if any(word.endswith(";") and not word.endswith("\\;") for word in words):
        refuse("a tmux argument ends in `;`, so another tmux command may follow")
    target: str | None = None
    flags: list[str] = []
    words = words[1:]
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        if flag == "--":
            break
        while flag := flag[1:]:
            if flag[0] in "lHR":
                flags.append(flag[0])
                continue
            if flag[0] not in "Nt":
                # -F and -X can run commands, -K and -M act on a client.
                refuse("it sends more than keys")
            value = flag[1:] or (words.pop(0) if words else refuse("a tmux option has no value"))
            if flag[0] == "t":
                target = value
            else:
                flags.append(value)
            if value.endswith(";"):
                refuse("a tmux option ends in `;`")
            break
    return Send(target=target, socket=socket, label=label), [str(len(flags)), *flags, *words]


def _server_options(words: list[str]) -> tuple[str | None, str | None, list[str]]:
    """`-S` and `-L` of tmux itself, and the words after its options; with both, tmux uses -S."""
    socket = label = None
    words = list(words)
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if len(flag) == 1 or flag == "--":
            refuse("its tmux has unusual options")
        while flag := flag[1:]:
            if flag[0] in "u2":
                continue
            if flag[0] not in "SL":
                refuse("its tmux has unusual options")
            value = flag[1:] or (words.pop(0) if words else refuse("a tmux option has no value"))
            socket, label = (value, label) if flag[0] == "S" else (socket, value)
            break
    return socket, label, words


def is_send_keys(word: str) -> bool:
    """True for a name of `send-keys`."""
    # tmux accepts any unambiguous prefix; `send-` could be send-prefix.
    return word == "send" or (len(word) > len("send-") and "send-keys".startswith(word))
