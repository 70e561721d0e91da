"""The policies that come with the code, each in a file of its own: listed and printed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.shipped_files import shipped
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import nearest, shown

_FOLDER = "policies/"
_COLUMNS = columns("policy", "mode", "what it does")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPolicy:
    """One of these files: a name, and what its policy says of itself."""

    name: str
    mode: str
    description: str
    text: str


def ready_policies() -> tuple[ReadyPolicy, ...]:
    """All of them, by name."""
    return tuple(
        ReadyPolicy(
            name=path.removeprefix(_FOLDER).removesuffix(".yml"),
            mode=_value(text, "mode"),
            description=_value(text, "description"),
            text=text,
        )
        for path, text in shipped("policies").items()
        if path.startswith(_FOLDER)
    )


def _value(text: str, key: str) -> str:
    """The value of a key that stands on a line of its own, as in each of these files."""
    return next(line for line in text.splitlines() if line.startswith(f"    {key}: ")).partition(": ")[2]


def listed(policies: Sequence[ReadyPolicy]) -> str:
    """One row per policy."""
    return "\n".join(table(_COLUMNS, [[each.name, each.mode, each.description] for each in policies]))


def listed_json(policies: Sequence[ReadyPolicy]) -> str:
    """The same as JSON, with the files."""
    rows = [
        {"policy": each.name, "mode": each.mode, "description": each.description, "file": each.text}
        for each in policies
    ]
    return json.dumps({"policies": rows}, indent=2)


def called(name: str, policies: Sequence[ReadyPolicy]) -> ReadyPolicy:
    """The one of that name. Raises UsageError with what there is."""
    names = {each.name: each for each in policies}
    if (found := names.get(name)) is not None:
        return found
    near = nearest(name, names)
    mend = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
    raise UsageError(f"no policy is called {shown(name)}; {mend}")
