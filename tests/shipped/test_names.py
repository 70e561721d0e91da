"""Every flag, variable, path, metric, alert, setting and decision that a page names exists."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.literals.planned import PLANNED
from tests.support.pages import man_page
from tests.support.pages.known_names import (
    FOREIGN_FLAGS,
    FOREIGN_VARIABLES,
    GROUPS,
    MADE_LATER,
    NO_METRICS,
    NO_SETTINGS,
    alert_problems,
    commands_in,
    decision_problems,
    flag_problems,
    flags_of,
    metric_problems,
    names_of,
    path_problems,
    query_problem,
    setting_problems,
    variable_problems,
)
from tests.support.pages.known_names import PLANNED as PLANNED_COMMANDS
from tests.support.pages.markdown import PAGES, REPOSITORY, all_blocks, code
from tests.support.processes.run_text import run_text
from tmux_exporter.cli.tasks import TaskGroup

MANUALS = REPOSITORY / "deploy" / "share" / "man" / "man1"
Problems = Callable[[str], Iterator[str]]

OF_NOW = tuple(page for page in PAGES if page.name != "CHANGELOG.md")
"""The changelog also names what there was before."""

IN_CODE: tuple[Problems, ...] = (
    flag_problems,
    variable_problems,
    path_problems,
    metric_problems,
    setting_problems,
)
ANYWHERE: tuple[Problems, ...] = (alert_problems, decision_problems)


@pytest.mark.parametrize("page", OF_NOW, ids=str)
def test_what_a_page_names_exists(page: Path) -> None:
    found = [f"{each}: {problem}" for each in code(page) for look in IN_CODE for problem in look(each.text)]
    text = (REPOSITORY / page).read_text()
    found += [f"{page}: {problem}" for look in ANYWHERE for problem in look(text)]
    assert not found, "\n".join(found)


def test_every_query_asks_for_what_is_built() -> None:
    asked = {
        f"{block}: {query}": query_problem(query)
        for block in all_blocks("promql")
        for query in block.queries()
    }
    assert len(asked) > 100
    assert {place: problem for place, problem in asked.items() if problem} == {}


@pytest.mark.parametrize(
    ("look", "text", "problem"),
    [
        (flag_problems, "tmux-exporter heal", "tmux-exporter has no command heal"),
        (flag_problems, "tmux-exporter top --one --sort cpu", "tmux-exporter top has no --one"),
        (flag_problems, "tmux-exporter op recovery --again 3 -- ls", "tmux-exporter op has no --again"),
        (flag_problems, "tmux-remediator run\n  [--forced]", "tmux-remediator run has no --forced"),
        (
            flag_problems,
            "tmux-exporter once | tmux-remediator plan --in x",
            "tmux-remediator plan has no --in",
        ),
        (flag_problems, "python -m bench --jobs a", "bench has no --jobs"),
        (flag_problems, "tmux-exporter export rules --jobs a", "tmux-exporter export rules has no --jobs"),
        (flag_problems, "python -m alerts.generation", "there is no module alerts.generation"),
        (flag_problems, "--web.listen", "no command has --web.listen"),
        (flag_problems, "make upp", "there is no make upp"),
        (flag_problems, "make up SERVER=no", "make up does not read SERVER"),
        (variable_problems, "TMUX_EXPORTER_KEPT=1 ./serve", "nothing reads TMUX_EXPORTER_KEPT"),
        (variable_problems, "ls $STATE_HOME", "nothing reads STATE_HOME"),
        (path_problems, "cp deploy/policy.yml .", "there is no deploy/policy.yml"),
        (path_problems, "alerts/rules/*/*.yaml", "there is no alerts/rules/*/*.yaml"),
        (path_problems, "alerts/case/<subject>.py", "there is no alerts/case/<subject>.py"),
        (metric_problems, "tmux_agent_memory", "there is no metric tmux_agent_memory"),
        (metric_problems, "tmux_up_bucket", "there is no metric tmux_up_bucket"),
        (metric_problems, "tmux_agents_*", "there is no metric tmux_agents_*"),
        (metric_problems, "tmux_X_memory", "there is no metric tmux_X_memory"),
        (metric_problems, "job:tmux_slo:ratio", "nothing is recorded as job:tmux_slo:ratio"),
        (alert_problems, "TmuxAgentGone fires", "there is no alert TmuxAgentGone"),
        (setting_problems, "web.listen", "there is no setting web.listen"),
        (setting_problems, "limits.agent_cpu: 2", "there is no setting limits.agent_cpu"),
        (decision_problems, "as D99 says", "there is no decision D99"),
    ],
)
def test_a_planted_name_is_found(look: Problems, text: str, problem: str) -> None:
    assert list(look(text)) == [problem]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (f"{PLANNED.name} == 0", f"no built metric {PLANNED.name}"),
        ('tmux_up{session="a"}', "no labels {'session'} of tmux_up"),
        ("sum by (agent) (tmux_up)", "no labels {'agent'}"),
    ],
)
def test_a_planted_query_is_found(query: str, problem: str) -> None:
    assert query_problem(query) == problem


def test_every_exception_is_still_needed() -> None:
    """A name in a list of exceptions that no page has any more hides the next mistake."""
    text = "\n".join(each.text for page in OF_NOW for each in code(page))
    lists = (FOREIGN_FLAGS, FOREIGN_VARIABLES, MADE_LATER, NO_METRICS, NO_SETTINGS)
    assert [name for names in lists for name in names if name not in text] == []


@pytest.mark.parametrize("command", sorted(PLANNED_COMMANDS))
def test_what_is_promised_for_later_is_not_there_yet(command: str) -> None:
    program, name = command.split()
    assert flags_of(program, name) is None, f"{command} is built: take it out of PLANNED in known_names.py"


@pytest.mark.parametrize("program", GROUPS)
def test_help_has_each_command_in_one_task_with_an_example_of_its_own(program: str) -> None:
    group = GROUPS[program]
    assert isinstance(group, TaskGroup)
    assert sorted(name for task in group.tasks for name in task.commands) == sorted(group.commands)
    for task in group.tasks:
        (shown,) = commands_in(task.example)
        assert shown.program == program and shown.name.split()[0] in task.commands
        assert list(flag_problems(task.example)) == []


@pytest.mark.parametrize("program", GROUPS)
def test_the_manual_page_is_current_and_no_program_complains(program: str) -> None:
    page = MANUALS / f"{program}.1"
    assert page.read_text() == man_page.render(program), "run `make docs`"
    for name in names_of(GROUPS[program]):
        assert f".B {man_page.as_text(f'{program} {name}')} " in page.read_text().replace("\n", " \n")


@pytest.mark.long
@pytest.mark.parametrize("program", GROUPS)
@pytest.mark.parametrize(
    "reader",
    [("mandoc", "-Tlint"), ("groff", "-ww", "-man", "-Tutf8", "-z"), ("man", "--warnings", "-Z", "-l")],
    ids=lambda reader: str(reader[0]),
)
def test_a_reader_of_manual_pages_finds_no_fault(program: str, reader: tuple[str, ...]) -> None:
    done = run_text((*reader, MANUALS / f"{program}.1"), env={**os.environ, "LC_ALL": "C.UTF-8"})
    said = done.stdout if reader[0] == "mandoc" else ""
    assert (done.returncode, done.stderr + said) == (0, "")
