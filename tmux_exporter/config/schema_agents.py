"""The settings of agents: who is one, what it is called, who is expected, and what may be read."""

from dataclasses import dataclass

from tmux_exporter.config.parsers import (
    parse_file_name,
    parse_label,
    parse_name_pattern,
    parse_optional_path,
    parse_pattern,
    parse_program,
)
from tmux_exporter.config.types import Boolean, ListOf, MisfitError, Records, Text, key


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureConfig:
    """How one program is recognised, besides the built-in signatures; any one of the lists is enough."""

    program: str = key(
        Text(what="a-z, 0-9, `.`, `_`, `-`", parser=parse_program), "The label `program` of such an agent."
    )
    argv0: tuple[str, ...] = key(
        ListOf(item=Text(what="file name", parser=parse_file_name)),
        "Last part of the path in `argv[0]`.",
        default=(),
    )
    exe: tuple[str, ...] = key(
        ListOf(item=Text(what="shell pattern", parser=parse_pattern)),
        "Pattern of the whole path of the program file.",
        default=(),
    )
    script: tuple[str, ...] = key(
        ListOf(item=Text(what="shell pattern", parser=parse_pattern)),
        "Pattern of the script that an interpreter (node, python, …) runs: of its whole path, or of its "
        "last part where the pattern has no slash.",
        default=(),
    )

    def __post_init__(self) -> None:
        if not (self.argv0 or self.exe or self.script):
            raise MisfitError("this matches nothing; add argv0, exe or script")


_LABEL = Text(what="text", parser=parse_label)
_NAMES = ListOf(item=Text(what="shell pattern", parser=parse_name_pattern))


def _check_names(*patterns: tuple[str, ...]) -> None:
    """Refuse a name or a role that every agent would have."""
    if not any(patterns):
        raise MisfitError("this fits every agent; add windows or sessions")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleConfig:
    """A role by names, besides the built-in rules; where both lists are given, one of each has to fit."""

    role: str = key(_LABEL, "The label `role` of such an agent.")
    windows: tuple[str, ...] = key(
        _NAMES,
        "Pattern of the window's name; capitals do not count, and blanks, `_` and `.` are as `-`. A name "
        "that tmux gives by itself (`automatic-rename`) fits none.",
        default=(),
    )
    sessions: tuple[str, ...] = key(_NAMES, "Pattern of the session's name, likewise.", default=())

    def __post_init__(self) -> None:
        _check_names(self.windows, self.sessions)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameConfig:
    """A name by names; where both lists are given, one of each has to fit."""

    name: str = key(
        _LABEL, "The label `agent` of such an agent; of several in one session the second gets `#2`."
    )
    windows: tuple[str, ...] = key(_NAMES, "Pattern of the window's name, as in `roles`.", default=())
    sessions: tuple[str, ...] = key(_NAMES, "Pattern of the session's name, likewise.", default=())

    def __post_init__(self) -> None:
        _check_names(self.windows, self.sessions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAgent:
    """An agent that has to be there: while no pane runs it, it is shown with `tmux_agent_up` 0."""

    session: str = key(_LABEL, "The label `session` of such an agent.")
    agent: str = key(_LABEL, "Its label `agent`.")
    server: str = key(_LABEL, "Its label `server`.", default="default")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Which programs are agents, and how their state is seen."""

    signatures: tuple[SignatureConfig, ...] = key(
        Records(of=SignatureConfig),
        "Programs to recognise as agents besides the built-in ones.",
        default=(),
    )
    names: tuple[NameConfig, ...] = key(
        Records(of=NameConfig),
        "Rules for the label `agent` of new agents; the pane's `@agent` comes before them. A name that "
        "was given stays.",
        default=(),
    )
    roles: tuple[RoleConfig, ...] = key(
        Records(of=RoleConfig),
        "Rules for the label `role`; they come before the built-in ones, the pane's `@role` before both.",
        default=(),
    )
    expected: tuple[ExpectedAgent, ...] = key(
        Records(of=ExpectedAgent),
        "Agents that have to be there, also when nothing of them is to be seen.",
        default=(),
    )
    pane_text: bool = key(
        Boolean(switches=True),
        "Read the last rows that the panes of agents show, where nothing stronger tells their state or it is "
        "`idle`, and only after they have changed: so you see what they wait for. Only that is kept; no text "
        "is stored, logged or sent.",
        default=True,
    )
    usage: bool = key(
        Boolean(switches=True),
        "Read what agents spend (tokens, requests, context) from the files that their programs write, where "
        "a file is known for sure to be theirs. Numbers and names of models are kept, never text.",
        default=True,
    )
    prices: str = key(
        Text(what="absolute path", parser=parse_optional_path),
        "Your own table of prices, instead of our small one: JSON in the form of LiteLLM's "
        "`model_prices_and_context_window.json` (dollars per token). It is read once; nothing is fetched.",
        default="",
    )
