"""The keys of a policy file -> the tables of docs/policies.md; `make docs` writes that page."""

import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from tmux_exporter.config.types import Records, Section, Setting
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.policies.document import DocumentDoc
from tmux_exporter.remediator.policies.metrics import FIGURES

_INTRODUCTION = """\
# Policies

<!-- Made by `make docs`; edit tmux_exporter/remediator/policies/. -->

Policies decide what `tmux-remediator` warns about and what it terminates. You write them as YAML files and
pass them with `--policy FILE` or `--policy FOLDER`. Without one the built-in policy runs: the first of [the
shipped file](../deploy/policies.yml), which `tmux-exporter export policies --out .` writes.
`tmux-remediator policies` lists short policies for what people ask for most, each in a file of its own
([deploy/policies](../deploy/policies)), and prints them: `tmux-remediator policies agent-memory`. Their first
lines say what each ends without asking once you run it with `--enforce`; without that flag they only tell.
`tmux-remediator check-config FILE` reports every mistake with its line and its fix; editors can use the
[JSON Schema](../deploy/policies.schema.json). SIGHUP reloads them. The file and each of its parent folders
must belong to you or to root, and others must not be able to write to them.

```yaml
apiVersion: tmux-exporter/v1
kind: RemediationPolicies
policies:
  - name: orphaned-schedulers
    mode: enforce
    match: { kind: scheduler, state: [dangling] }
    for: 5m
    actions:
      - { do: warn }
      - { do: stop, after: 5m, method: scheduler_pair }
      - { do: kill, after: 3s }
    verify: { gone_within: 5s }
```

- A policy **matches** targets of one kind; `when` narrows them by figures: a condition holds once the figure
  is above `above`, until it is below `clear_below`. An unreadable figure neither advances nor satisfies a
  condition.
- Once a target has matched for `for`, in every complete sample and in at least two, the **steps** begin, each
  `after` the one before it.
- The mode in force is the least of the policy's `mode`, the flag `--enforce`, the file `remediator.off`, the
  breaker and the warm-up. `observe` only reports, `recommend` keeps a plan for `tmux-remediator apply`,
  `enforce` acts.
- A `stop` must be verified, and a `kill` only follows a stop that had no effect. Only `dangling` schedulers
  can be terminated without a person (`approvals: {required: 1}`); `unknown`, `opaque` and `firing` never.
- A figure of an agent is that of its whole tree, and what acts on it acts on the **culprit**: the deepest
  process below the agent that holds two thirds of the figure with all below it, and without which the rest is
  within the bound. It must have been the same for as long as `for` says, and what it has started ends with
  it. The agent itself ends only where it holds that much itself. Where nobody does you are told, and nothing
  ends (`no_culprit`); `whom: agent` or `whom: tree` says otherwise.
- A leaked process is ended by the hash of its command line (`cmdline_sha256`), or by what it is: `leak_kind`
  `agent`, `agent_daemon`, `mcp_server` or `dev_server` with `program` and an `age` of at least 1h. By what it
  is only where a sample has seen it in its pane (more than its environment), and where nothing outside its
  tree was connected to it for ten minutes. What listens needs `allow: [listening_socket]` besides.
- **Budgets** limit how much is terminated; with more matches than `max_match` nothing is. The **breaker**
  opens when targets survive or come back. What no policy overrides stands in [safety.md](safety.md).
- There are no shell commands and no regular expressions. A name is exact, `glob:` begins a pattern with `*`
  and `?`.
- Units are obligatory, and the rules of YAML are as strict as in [configuration.md](configuration.md).
"""


def render() -> str:
    """The page."""
    parts = [_INTRODUCTION]
    for where, of in (("The file", DocumentDoc), *_parts(DocumentDoc, "")):
        parts.append(f"\n## {where}\n\n{of.__doc__}\n\n" + "".join(f"{row}\n" for row in _table(of)))
    figures = "".join(f"- `{name}` (of a {each.kind})\n" for name, each in FIGURES.items())
    parts.append(
        "\n## Figures\n\nWhat a `when` can ask about, as [metrics.md](metrics.md) explains it; of "
        "leaked processes and schedulers that of the one thing. Those of a server can be asked of everything "
        "in it. An age is the time since what /metrics shows as a time: `idle` since an agent is idle, 0 "
        "where it is not; `age` since its start, of a pane that of its oldest process.\n\n"
        f"{figures}"
    )
    parts.append(
        f"\n## States\n\nOf schedulers: {_words(SchedulerState)}. Kinds of leaks: {_words(LeakKind)}.\n"
    )
    return "".join(parts)


def _words(of: type[SchedulerState] | type[LeakKind]) -> str:
    return ", ".join(f"`{each}`" for each in of)


def _parts(of: type[Any], where: str) -> Iterator[tuple[str, type[Any]]]:
    """The mappings below a mapping, by where they stand, each class once."""
    seen: set[type[Any]] = set()
    for place, part in _walk(of, where):
        if part not in seen:
            seen.add(part)
            yield place, part


def _walk(of: type[Any], where: str) -> Iterator[tuple[str, type[Any]]]:
    entries: tuple[Field[Any], ...] = fields(of)
    for entry in entries:
        kind = entry.metadata["setting"].kind
        if isinstance(kind, Section | Records):
            place = f"{where}{entry.name.removesuffix('_')}"
            yield f"`{place}`", kind.of
            yield from _walk(kind.of, f"{place}.")


def _table(of: type[Any]) -> Iterator[str]:
    yield "| key | value | needed | meaning |"
    yield "| --- | --- | --- | --- |"
    entries: tuple[Field[Any], ...] = fields(of)
    for entry in entries:
        setting: Setting = entry.metadata["setting"]
        needed = "yes" if entry.default is MISSING else ""
        cells = (f"`{entry.name.removesuffix('_')}`", setting.kind.describe(), needed, setting.meaning)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(render())
