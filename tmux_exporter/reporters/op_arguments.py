"""Parse the arguments of `tmux-exporter op`, without a library: it must start fast."""

from __future__ import annotations

from tmux_exporter.wire.operation_line import CLASSES, LONGEST_NAME, MOST_RETRIES, is_name

HELP = f"""\
Usage: tmux-exporter op NAME [--retry N] [--backoff TIME] [--timeout TIME] -- CMD ...

  Run CMD as an observed operation: how long it took, whether it succeeded and how often it was tried are on
  /metrics as tmux_operation_*. Streams, signals and exit status are those of CMD; without an exporter CMD
  runs all the same.

  NAME is {", ".join(CLASSES[:-1])} or {CLASSES[-1]}, or a name of your own (a-z, 0-9 and _).

Example:
  tmux-exporter op inter_agent_message -- ./send-claude-message.sh shop:0 "Any news?"
  tmux-exporter op recovery --retry 3 --backoff 2s --timeout 60s -- ./restart-agent.sh shop:0

Options:
  --retry N       Try again up to N times where CMD fails (0).
  --backoff TIME  Wait so long before the first retry, twice as long before each further one, at most 5m (1s).
  --timeout TIME  End an attempt after this time: SIGTERM, 5s later SIGKILL; the exit status is then 124.
  -h, --help      Show this message.

  TIME is a number with a unit (250ms, 5s, 2m, 1h), or of seconds.
"""

_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "": 10**9}
_LONGEST_TIME = 24 * 3600 * 10**9


class WrongUseError(Exception):
    """Wrong arguments; the message says how to fix them."""


class OpRequest:
    """What to run and how often; times are nanoseconds, `timeout` is 0 without a limit."""

    __slots__ = ("backoff", "command", "name", "retries", "timeout")

    def __init__(self) -> None:
        self.name = ""
        self.command: tuple[str, ...] = ()
        self.retries = 0
        self.backoff = 10**9
        self.timeout = 0


def parse(arguments: list[str]) -> OpRequest | None:
    """Parse the arguments after `op`; None for help. Raises WrongUseError."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words, request = arguments[:end], OpRequest()
    if "--help" in words or "-h" in words:
        return None
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if option in ("--retry", "--backoff", "--timeout"):
            if not equals and not words:
                raise WrongUseError(f"{option} needs a value, for example {option} 3")
            _set(request, option, value if equals else words.pop(0))
        elif word.startswith("-"):
            raise WrongUseError(f"there is no option {word!r}; see tmux-exporter op --help")
        elif request.name:
            raise WrongUseError(f"write -- before the command: tmux-exporter op {request.name} -- {word} ...")
        elif not is_name(word):
            raise WrongUseError(
                f"{word[:60]!r} is no name of an operation; use a-z, 0-9 and _, a letter first, "
                f"at most {LONGEST_NAME}"
            )
        else:
            request.name = word
    request.command = tuple(arguments[end + 1 :])
    if not request.name or not request.command:
        raise WrongUseError("name an operation and a command: tmux-exporter op NAME -- CMD ...")
    return request


def _set(request: OpRequest, option: str, text: str) -> None:
    if option == "--retry":
        if not (text.isascii() and text.isdigit()) or len(text) > 7 or int(text) > MOST_RETRIES:
            raise WrongUseError(f"--retry takes a number of 0 to {MOST_RETRIES}, not {text[:60]!r}")
        request.retries = int(text)
    elif option == "--backoff":
        request.backoff = _time(option, text, 0)
    else:
        request.timeout = _time(option, text, 1)


def _time(option: str, text: str, least: int) -> int:
    unit = text.lstrip("0123456789.")
    number = text[: len(text) - len(unit)]
    try:
        nanoseconds = int(float(number) * _UNITS[unit])
    except (KeyError, ValueError):
        nanoseconds = -1
    if not least <= nanoseconds <= _LONGEST_TIME or len(text) > 16:
        raise WrongUseError(f"{option} takes a time such as 250ms, 5s or 2m, at most 24h, not {text[:60]!r}")
    return nanoseconds
