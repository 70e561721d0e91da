"""Generate `docs/configuration.md` and the example file from the settings.

`python -m tmux_exporter.config.reference markdown > docs/configuration.md` and
`… example > deploy/tmux-exporter.example.yml` write them anew; a test holds both against the table.
"""

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from tmux_exporter.config.flags import FLAGS
from tmux_exporter.config.load import section_classes
from tmux_exporter.config.records import section_keys
from tmux_exporter.config.types import ListOf, Records, Section, Setting

_INTRODUCTION = """\
# Configuration

<!-- Made by `python -m tmux_exporter.config.reference markdown`; edit tmux_exporter/config/schema.py. -->

One YAML file, given by `--config`. Every setting has a default, so no file is needed. Command-line flags win
over the file. [The example file](../deploy/tmux-exporter.example.yml) holds every setting with its default.

`tmux-exporter check-config FILE` reports every mistake of a file at once, one line each, as
`file:line:column: what is wrong; how to mend it`, and exits with 2. `serve` refuses such a file before it
opens a port. On SIGHUP the file is read again; a file with a mistake is not applied and the running
configuration stays.

The rules are stricter than YAML's, because YAML 1.1 reads `1:30` as 90, `010` as 8 and `no` as false:

- A number of seconds or bytes carries its unit: `250ms`, `5s`, `2m`, `1h`; `64MiB`, `1GiB`.
  One number, one unit: `90s`, not `1m30s`.
- Only `true` and `false` are booleans, only decimal digits are numbers, and neither stands in quotes. A text
  that YAML reads as something else stands in quotes: `"no"`, `"12"`.
- Refused: an unknown or duplicate key, an anchor, an alias, a merge key, a tag, a second document, a tab as
  indentation, a file larger than 1 MiB or not in UTF-8, anything that is no regular file and no pipe.
- An empty file, and a section without a value, mean the defaults.
"""


def markdown() -> str:
    """The reference page."""
    parts = [_INTRODUCTION]
    for name, section in section_classes().items():
        parts.append(f"\n## {name}\n\n{section.__doc__}\n\n{_table(section)}")
    for where, record in _records():
        parts.append(f"\n## {where}\n\n{record.__doc__}\n\n{_table(record)}")
    rows = "".join(f"| `{flag}` | `{section}.{key}` |\n" for flag, section, key in FLAGS.values())
    parts.append(f"\n## Flags\n\n| flag | setting |\n| --- | --- |\n{rows}")
    return "".join(parts)


def example() -> str:
    """A file that holds every setting with its default."""
    lines = [
        "# Every setting of tmux-exporter with its default. None of them is needed: keep what you change.",
        "# What they mean and what they may be: docs/configuration.md.",
    ]
    for name, section in section_classes().items():
        lines += ["", f"{name}:"]
        for key, setting in section_keys(section).items():
            lines += textwrap.wrap(
                setting.meaning.replace("`", ""), 100, initial_indent="  # ", subsequent_indent="  # "
            )
            lines.append(f"  {key}: {_default(section, key, setting)}")
    return "\n".join(lines) + "\n"


def _records() -> Iterator[tuple[str, type[Any]]]:
    """The classes of the lists of mappings, by where they stand in the file."""
    for name, section in section_classes().items():
        for key, setting in section_keys(section).items():
            if isinstance(setting.kind, Records):
                yield f"{name}.{key}", setting.kind.of


def _table(section: type[Any]) -> str:
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *_rows(section)]
    return "\n".join(rows) + "\n"


def _rows(section: type[Any]) -> Iterator[str]:
    for key, setting in section_keys(section).items():
        written = _default(section, key, setting)
        default = f"`{written}`" if written else "must be given"
        yield f"| `{key}` | {setting.kind.describe()} | {default} | {setting.meaning} |"


def _default(section: type[Any], key: str, setting: Setting) -> str | None:
    """The default as YAML writes it, None where there is none."""
    value = next(entry.default for entry in fields(section) if entry.name == key)
    if value is MISSING:
        return None
    return "[]" if isinstance(setting.kind, ListOf | Records | Section) else setting.kind.render(value)


if __name__ == "__main__":
    sys.stdout.write({"markdown": markdown, "example": example}[sys.argv[1]]())
