"""The table of agent programs with its evidence: a table for a terminal, JSON-ready data, and the page.

`python -m tmux_exporter.commands.views.agents` prints the page docs/agent-programs.md.
"""

import sys
from typing import Any

from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.evidence import EVIDENCE, WAYS, Evidence
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.reporters.hook_settings import PROGRAMS

_HOOKED = frozenset(each.name for each in PROGRAMS)
_COLUMNS = columns("PROGRAM", "EVIDENCE", "VERSION", "PACKAGE", "HOOKS", "STARTED BY")


def as_dict() -> dict[str, Any]:
    """The table as JSON-ready data."""
    return {
        "version": 1,
        "programs": [
            {
                "program": row.program,
                "evidence": EVIDENCE[row.program].evidence,
                "package": EVIDENCE[row.program].package,
                "seen_version": EVIDENCE[row.program].version,
                "ways": list(EVIDENCE[row.program].ways),
                "helpers": list(EVIDENCE[row.program].helpers),
                "hooks": row.program in _HOOKED,
                "not_run_because": EVIDENCE[row.program].missing,
            }
            for row in SIGNATURES
        ],
    }


def as_text() -> str:
    """The table, and how to add a program."""
    rows = [
        [
            each["program"],
            each["evidence"],
            each["seen_version"] or "-",
            each["package"] or "-",
            "yes" if each["hooks"] else "-",
            ", ".join(each["ways"]) or "-",
        ]
        for each in as_dict()["programs"]
    ]
    seen = sum(row[1] == Evidence.INSTALLED for row in rows)
    return "\n".join(
        [
            f"{len(rows)} programs are known; {seen} were seen running",
            "",
            *table(_COLUMNS, rows),
            "",
            "Another program: agents.signatures in the configuration, or tmux set-option -p @agent NAME",
        ]
    )


def as_page() -> str:
    """The page in Markdown."""
    lines = [
        "# Programs that count as agents",
        "",
        "<!-- Written by `make docs` from tmux_exporter/analysis/programs/evidence.py: change that. -->",
        "",
        "Each program of the table, and how it is known. `installed`: it was installed from its package and",
        "started without a network, in each of these ways; its process trees are recorded for a test.",
        "`documentation`: as its makers describe it, not seen running. [agents.md](agents.md) says how",
        "one is recognised, and how to add yours; `tmux-exporter agents` prints this table.",
        "",
        "| program | evidence | version | package | ways of starting | no agents of it | hooks |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in as_dict()["programs"]:
        helpers = ", ".join(f"`{helper}`" for helper in each["helpers"])
        ways = ", ".join(each["ways"]) or each["not_run_because"]
        hooks = "yes" if each["hooks"] else ""
        lines.append(
            f"| `{each['program']}` | {each['evidence']} | {each['seen_version']} | {each['package']} "
            f"| {ways} | {helpers} | {hooks} |"
        )
    lines += ["", "The ways:", "", *(f"- {way}: {words}" for way, words in WAYS.items()), ""]
    lines += [
        "Not recognised are a script that is started by a link or a copy of another name (its interpreter",
        "shows that name alone), and a copy of a native program with another name in another folder.",
        "`tmux-exporter doctor` names programs that behave like agents and are not in the table.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(as_page())
