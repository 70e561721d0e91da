"""What a message says beside its description: value, bound, culprits, the first command, the state when over.

Prometheus fills these texts in when it evaluates the alert, so any receiver has them as annotations. Names of
sessions and agents come from outside: in a command they stand quoted for a shell.
"""

import re
from dataclasses import dataclass

from tmux_exporter.alerting.base.scope import Scope, duration

KEYS = ("value", "culprits", "command", "resolved")
"""The annotations of this file."""

UNSEEN = "none seen"
"""The culprits where no session or agent has a part in it."""


@dataclass(frozen=True, slots=True)
class Text:
    """The text of one alert.

    `command` is what to type first, on the machine of the alert. `resolved` is true once the alert is over.
    `bound` is what `value` was compared with: `$level%` is a number of the alert's table as a percentage,
    `$seconds~s` as a time, `$bytes~B` as a size, `$over` as it stands. `culprits` asks Prometheus who has the
    largest part.
    """

    command: str
    resolved: str
    value: str = ""
    bound: str = ""
    culprits: str = ""

    def annotations(self, scope: Scope, table: str, level: str, hold: float) -> dict[str, str]:
        """The annotations of one level of an alert that must hold for so many seconds."""
        bound = _bound(self.bound, scope, table, level) + (
            f" for {duration(hold, scope.time_scale)}" if hold else ""
        )
        return {
            **({"value": f"{self.value} (bound: {bound})"} if self.value else {}),
            **({"culprits": self.culprits} if self.culprits else {}),
            "command": self.command,
            "resolved": _bound(self.resolved, scope, table, level),
        }


_NUMBER = re.compile(r"\$(?P<key>\w+)(?P<unit>%|~s|~B)?")


def _bound(text: str, scope: Scope, table: str, level: str) -> str:
    def fill(found: re.Match[str]) -> str:
        key = level if found["key"] == "level" else found["key"]
        numbers = scope.thresholds
        match found["unit"]:
            case "%":
                return f"{100 * numbers.number(table, key):g}%"
            case "~s":
                return duration(numbers.number(table, key))
            case "~B":
                return f"{numbers.number(table, key) / 2**20:g}MiB"
            case _:
                if isinstance(numbers.tables[table][key], str):
                    return scope.duration(numbers.seconds(table, key))
                return f"{numbers.number(table, key):g}"

    return _NUMBER.sub(fill, text)


def word(text: str) -> str:
    """A template's value as one word of a shell, quoted where needed and without control characters."""
    return (
        f"{{{{ with {text} }}}}{{{{ if match `^[A-Za-z0-9/][A-Za-z0-9_.:/@+-]*$` . }}}}{{{{ . }}}}"
        "{{ else }}'{{ reReplaceAll `'` `'\\''` (reReplaceAll `[[:cntrl:]]` `?` .) }}'{{ end }}{{ end }}"
    )


def most(expr: str, who: str, unit: str, *at: str, count: int = 3) -> str:
    """The (three) things of which an expression is largest, by name and amount.

    `{}` in the expression becomes the selector of the alert's job, instance and labels `at`; `who` is the
    label that names a thing, `unit` how its amount is written.
    """
    labels = ("job", "instance", *at)
    selector = ", ".join(f"{label}=%q" for label in labels)
    times = expr.count("{}") + expr.count("{,")
    filled = expr.replace("{}", f"{{{selector}}}").replace("{,", f"{{{selector},")
    values = " ".join(f"$labels.{label}" for label in labels * times)
    name = f"{{{{ or .Labels.{who} `nobody` }}}}"
    return (
        f"{{{{ with printf `sort_desc(topk({count}, {filled} > 0))` {values} | query }}}}"
        f"{{{{ range $place, $each := . }}}}{{{{ if $place }}}}, {{{{ end }}}}{name} {unit}{{{{ end }}}}"
        f"{{{{ else }}}}{UNSEEN}{{{{ end }}}}"
    )
