"""Shell grammar of schedulers: classifies a command line as a pure script, an opaque one, or no scheduler.

A pure script is understood completely: `sleep D… OP tmux … send-keys … (OP sleep D… | OP tmux … send-keys
…)*` with OP one of `&&`, `||`, `;`, and a plain `nohup`, `setsid` or `env` before any command. Any other
script that sleeps and sends keys is opaque. The text that would be typed is never kept.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tmux_exporter.analysis.schedulers.send_keys import OpaqueError, Send, is_send_keys, read_send, refuse
from tmux_exporter.analysis.schedulers.shell_lexer import Token, lex

# Process readers keep 4 KiB of a command line: one this long may be cut.
_WHOLE_BYTES = 4095
_JOINERS = frozenset({"&&", "||", ";"})
# Programs that, without options of their own, only exec the command after them.
LAUNCHERS = frozenset({"nohup", "setsid", "env"})
# Shell flags that do not change what a pure script does.
_HARMLESS_FLAGS = frozenset("ceilfux")
_DURATION = re.compile(
    r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?))([smhd]?)", re.ASCII
)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# Words after which another command's name follows.
_BEFORE_A_COMMAND = frozenset({
    "if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "coproc",
    "exec", "command", "builtin",
})  # fmt: skip
# Programs that run the command after their own options and values.
_RUNNERS = frozenset({
    "nohup", "setsid", "env", "nice", "ionice", "timeout", "stdbuf", "flock", "sudo", "doas", "chrt",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PureScript:
    """A script that is understood completely. `delay` is the first sleep in seconds, infinite for `infinity`.

    `repeated`: a later sleep has the same arguments as the first. `keys` is a hash that is equal for scripts
    that type the same, with any target and any first sleep. `flags` are the letters of the shell's options.
    """

    sleep_args: tuple[str, ...]
    delay: float
    repeated: bool
    sends: tuple[Send, ...]
    keys: str
    flags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueScript:
    """A script that sleeps, sends keys and does more; `reason` says what prevents a verdict."""

    reason: str


def read_command(argv: Sequence[str], shell: str) -> PureScript | OpaqueScript | None:
    """Parse the command line of a shell named `shell`; None if it is no scheduler."""
    found = _script_of(argv, shell)
    if found is None:
        return None
    script, plain, flags = found
    reading = read_script(script, zsh=shell == "zsh")
    if not isinstance(reading, PureScript):
        return reading
    if not plain:
        return OpaqueScript(reason="the shell has options or arguments besides the script")
    if sum(len(word.encode("utf-8", "surrogateescape")) + 1 for word in argv) > _WHOLE_BYTES:
        return OpaqueScript(reason="its command line is too long to be read whole")
    return replace(reading, flags=flags)


def read_script(script: str, *, zsh: bool = False) -> PureScript | OpaqueScript | None:
    """Parse the text after `-c`."""
    if "sleep" not in script or "tmux" not in script or "send" not in script:
        return None
    lexed = lex(script, zsh=zsh)
    try:
        if lexed.doubt:
            refuse(lexed.doubt)
        return _pure(lexed.tokens)
    except OpaqueError as error:
        return OpaqueScript(reason=str(error)) if _looks_like_scheduler(lexed.tokens) else None


def duration(text: str) -> float | None:
    """Seconds of one argument of sleep(1); None if it is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    return float(match[1]) * _SECONDS[match[2]]


def is_sleep(argv: Sequence[str] | None) -> bool:
    """Whether this is the command line of sleep(1), also of a multi-call binary."""
    return bool(argv) and argv is not None and posixpath.basename(argv[0]) == "sleep"


def delay_of(sleep_args: Sequence[str]) -> float | None:
    """Seconds that `sleep` waits with these arguments: their sum."""
    parts = [duration(text) for text in sleep_args]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _script_of(argv: Sequence[str], shell: str) -> tuple[str, bool, str] | None:
    """The text after `-c`, whether only harmless flags stand beside it, and the letters of all flags."""
    words = list(argv)
    if shell == "busybox" and words and posixpath.basename(words[0]) == "busybox":
        words = words[1:]
    if shell == "busybox" and (not words or posixpath.basename(words[0]) not in ("sh", "ash")):
        return None
    plain, has_command, flags = True, False, ""
    words = words[1:]
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        flag = words.pop(0)
        letters = flag[1:]
        if flag.startswith("--") or flag[0] == "+":
            plain = False
            continue
        flags += letters
        has_command = has_command or "c" in letters
        plain = plain and _HARMLESS_FLAGS.issuperset(letters)
        if letters[-1] in "oO" and words:
            words.pop(0)
    if not has_command or not words:
        return None
    return words[0], plain and len(words) == 1, flags


def _pure(tokens: Sequence[Token]) -> PureScript:
    commands, joiners = _commands(tokens)
    first = commands[0]
    if not _named(first, "sleep"):
        refuse("it does not begin with a sleep")
    delay = delay_of(first[1:])
    if delay is None:
        refuse("its sleep's argument is no duration")
    sends: list[Send] = []
    typed: list[list[str]] = []
    repeated, succeeds = False, True
    for joiner, command in zip(joiners, commands[1:], strict=True):
        runs = joiner == ";" or succeeds == (joiner == "&&")
        # If nothing fails, a command that runs succeeds, and one that does not run keeps the status.
        succeeds = succeeds or runs
        if _named(command, "tmux"):
            send, keys = read_send(command[1:])
            sends.append(replace(send, fallback=not runs, program=command[0]))
            typed.append([joiner, *keys])
        elif not _named(command, "sleep"):
            refuse("it runs other commands too")
        elif delay_of(command[1:]) is None:
            refuse("a sleep's argument is no duration")
        else:
            typed.append([joiner, *command])
            repeated = repeated or command[1:] == first[1:]
    if not sends:
        refuse("it sends nothing")
    return PureScript(
        sleep_args=tuple(first[1:]),
        delay=delay,
        repeated=repeated,
        sends=tuple(sends),
        keys=_fingerprint(typed),
    )


def _fingerprint(commands: Sequence[Sequence[str]]) -> str:
    """A hash of the commands, which does not reveal them."""
    words = "\0".join("\0".join((str(len(command)), *command)) for command in commands)
    return hashlib.blake2b(words.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _commands(tokens: Sequence[Token]) -> tuple[list[list[str]], list[str]]:
    """The words of each command of a list, and its operator before each; only a `;` may end the list."""
    commands: list[list[str]] = [[]]
    joiners: list[str] = []
    for token in tokens:
        if not token.operator:
            commands[-1].append(token.text)
        elif token.text in _JOINERS:
            commands.append([])
            joiners.append(token.text)
        else:
            refuse("it is more than a list of commands")
    if joiners and not commands[-1] and joiners[-1] == ";":
        commands.pop()
        joiners.pop()
    if not all(commands):
        refuse("a command is missing in it")
    return [_launched(command) for command in commands], joiners


def _launched(command: list[str]) -> list[str]:
    """The command without plain launchers before it."""
    while len(command) > 1 and any(_named(command, name) for name in LAUNCHERS):
        command = command[1:]
    return command


def _named(command: Sequence[str], name: str) -> bool:
    """Whether a command is `name` or an absolute path to it; `./name` may be anything."""
    return command[0] == name or (command[0].startswith("/") and posixpath.basename(command[0]) == name)


def _looks_like_scheduler(tokens: Sequence[Token]) -> bool:
    """Whether one command is a sleep and another a tmux that sends keys, in any position."""
    commands = list(_loose_commands(tokens))
    sleeps = any(_named(command, "sleep") for command in commands)
    return sleeps and any(
        _named(command, "tmux") and any(is_send_keys(word) for word in command) for command in commands
    )


def _is_relevant(word: str) -> bool:
    return posixpath.basename(word) in ("sleep", "tmux")


def _loose_commands(tokens: Sequence[Token], depth: int = 0) -> Iterator[list[str]]:
    """Every run of words between operators, starting at the word that is probably the command name."""
    words: list[str] = []
    for token in (*tokens, Token(";", operator=True)):
        if not token.operator:
            words.append(token.text)
            continue
        skipped = True
        while words and skipped:
            skipped = words[0] in _BEFORE_A_COMMAND or bool(_ASSIGNMENT.match(words[0]))
            if skipped:
                words.pop(0)
                while words and words[0].startswith("-"):
                    words.pop(0)
        if words and posixpath.basename(words[0]) in _RUNNERS:
            words = next((words[at:] for at, word in enumerate(words) if _is_relevant(word)), words)
        if words:
            yield words
            # Agents run their tools' commands through eval.
            if words[0] == "eval" and depth == 0:
                yield from _loose_commands(lex(" ".join(words[1:])).tokens, depth + 1)
        words = []
