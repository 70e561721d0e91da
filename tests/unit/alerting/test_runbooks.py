"""The runbooks: every page has its parts, and every command in it exists now."""

import re
import shlex
import tempfile
import urllib.parse
from functools import cache
from pathlib import Path

import pytest

from tests.support.alerts.files import RUNBOOKS
from tests.support.alerts.promised import there
from tests.support.pages.known_names import flags_of, query_problem
from tests.support.pages.runbook_pages import PAGES, PROGRAMS, commands
from tests.support.processes.run_text import run_text
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope

SCOPE = Scope(thresholds=thresholds.load())
OUR_PAGES = ("/metrics", "/-/healthy", "/-/ready", "/api/v1/report")
PARTS = ["Meaning", "Impact", "Diagnosis", "Mend", "When to silence"]


def command_problem(line: str) -> str:
    """Why a line cannot be run as it stands, with nothing but its words in capitals filled in."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word == "|":
            commands.append([])
        else:
            commands[-1].append(word)
    return next(filter(None, map(_problem, commands)), "")


def _problem(words: list[str]) -> str:
    match words:
        case ["timeout", _, *rest]:
            return _problem(rest)
        case ["tmux-exporter" | "tmux-remediator" as program, name, *rest]:
            known = flags_of(program, f"{name} {rest[0]}") if rest else None
            known = flags_of(program, name) if known is None else known
            if known is None:
                return f"no command {name}"
            unknown = [word for word in rest if word.startswith("-") and word not in known]
            return f"no option {unknown[0]}" if unknown else ""
        case ["tmux", "-L" | "-S", _, verb, *_] | ["tmux", verb, *_]:
            return "" if verb in _tmux_verbs() else f"tmux {verb}"
        case ["curl", *rest]:
            return next(filter(None, map(_address_problem, rest)), "")
        case ["amtool", *rest]:
            verbs = [word for word in rest if word.isalpha()][:2]
            told = _flags_of("amtool", *verbs, "--help")
            flags = [word.split("=")[0] for word in rest if word.startswith("--")]
            return next((f"no option {flag}" for flag in flags if flag not in told), "")
        case [program, *_]:
            return "" if program in PROGRAMS else f"no program {program}"
        case _:
            return "nothing"


def _address_problem(word: str) -> str:
    """Why an address leads nowhere; what it asks Prometheus is looked at as all queries are."""
    if "://" not in word:
        return ""
    address = urllib.parse.urlsplit(word)
    asked = urllib.parse.parse_qs(address.query).get("query", [])
    if problem := next(filter(None, map(query_problem, asked)), ""):
        return problem
    return f"no page {address.path}" if address.port == 10077 and address.path not in OUR_PAGES else ""


@cache
def _flags_of(*words: str) -> set[str]:
    """The long flags of which a program's help tells."""
    done = run_text(words)
    return set(re.findall(r"--[a-z.-]+", done.stdout + done.stderr))


@cache
def _tmux_verbs() -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        # It starts a server, which ends at once; never the user's.
        words = ["tmux", "-S", f"{folder}/s", "-f", "/dev/null", "list-commands", "-F"]
        words.append("#{command_list_name} #{command_list_alias}")
        return set(run_text(words, check=True).stdout.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_parts_and_what_it_names_exists(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    for part in PARTS:
        assert re.search(rf"^## {part}\n\n\S", text, re.MULTILINE), part
    assert {line: problem for line in commands(page) if (problem := command_problem(line))} == {}
    metrics = set(re.findall(r"`(tmux_\w+)`", text))
    assert all(there(name) for name in metrics)


def test_priorities_and_patience_are_those_of_the_rules() -> None:
    for rule in rules.alerts(SCOPE):
        labels, name = rule["labels"], str(rule["alert"])
        assert isinstance(labels, dict)
        text = (RUNBOOKS / f"{name}.md").read_text()
        index = next(
            line
            for line in (RUNBOOKS / "README.md").read_text().splitlines()
            if f"[{name}]({name}.md)" in line
        )
        if "priority" not in labels:
            assert f"everity `{labels['severity']}`" in text
            continue
        assert labels["priority"] in index
        assert re.search(rf"{labels['priority']}, (severity )?{labels['severity']}", text), name
        assert _in_words(str(rule["for"])) in text, name


def _in_words(duration: str) -> str:
    if duration == "0s":
        return "at once"
    number, unit = duration[:-1], {"m": "minute", "h": "hour"}[duration[-1]]
    return f"{number} {unit}" + ("" if number == "1" else "s")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("tmux-exporter heal AGENT", "no command heal"),
        ("tmux-exporter explain AGENT --deep", "no option --deep"),
        ("tmux -L SERVER lss", "tmux lss"),
        ("timeout 5 tmux -S SERVER kill-servers", "tmux kill-servers"),
        ("service tmux restart", "no program service"),
        ("amtool silence add --durations=1h alertname=A", "no option --durations"),
        ("curl -s http://127.0.0.1:10077/-/well", "no page /-/well"),
        (
            "curl -s 'http://127.0.0.1:9090/api/v1/query?query=tmux_no_such_thing' | jq .data",
            "no built metric tmux_no_such_thing",
        ),
    ],
)
def test_a_planted_command_is_refused(line: str, problem: str) -> None:
    assert command_problem(line) == problem
