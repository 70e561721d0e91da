"""The keys of a policy file as a JSON Schema, for editors; `make docs` writes deploy/policies.schema.json.

It is made from the classes that the loader reads by. The loader also holds what fits together; a schema
cannot say that.
"""

import json
import sys
from dataclasses import MISSING, Field, fields
from typing import Any

from tmux_exporter.config.types import (
    Boolean,
    Choice,
    Duration,
    Integer,
    Kind,
    ListOf,
    Records,
    Section,
    Setting,
    Size,
)
from tmux_exporter.remediator.policies.document import DocumentDoc

_DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"
_SIZE = r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|TiB)$"


def schema() -> dict[str, Any]:
    """The schema of a whole file."""
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policies of tmux-remediator",
    }
    return found | _mapping(DocumentDoc)


def render() -> str:
    """Its text."""
    return json.dumps(schema(), indent=2) + "\n"


def _mapping(of: type[Any]) -> dict[str, Any]:
    entries: tuple[Field[Any], ...] = fields(of)
    keys = {entry.name.removesuffix("_"): entry for entry in entries}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _setting(entry.metadata["setting"]) for key, entry in keys.items()},
        "required": [
            key
            for key, entry in keys.items()
            if entry.default is MISSING and entry.default_factory is MISSING
        ],
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {"description": setting.meaning.replace("`", ""), **_kind(setting.kind)}


def _kind(kind: Kind) -> dict[str, Any]:
    match kind:
        case Section():
            return _mapping(kind.of)
        case Records():
            return {"type": "array", "items": _mapping(kind.of)}
        case ListOf():
            return {"type": "array", "uniqueItems": True, "items": _kind(kind.item)}
        case Choice():
            return {"enum": [member.value for member in kind.of]}
        case Boolean():
            return {"type": "boolean"}
        case Integer():
            return {"type": "integer", "minimum": kind.at_least, "maximum": kind.at_most}
        case Duration():
            return {"type": "string", "pattern": _DURATION}
        case Size():
            return {"type": "string", "pattern": _SIZE}
        case _:
            return {"type": ["string", "number"]}


if __name__ == "__main__":
    sys.stdout.write(render())
