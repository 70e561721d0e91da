"""The example report's page: as declared, as its golden file, as promtool wants it; the checker seen red."""

import re

import pytest

from tests.support.literals.planned import PLANNED
from tests.support.literals.report import example_report
from tests.support.processes.run_text import run_text
from tests.support.web.exposition import differences, falling, problems
from tests.support.web.golden import GOLDEN, golden_page
from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.config import Config, MetricsSettings, defaults
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue.exporter import HOST_OPTION
from tmux_exporter.metrics.catalogue.usage import PANE_DETAIL
from tmux_exporter.metrics.catalogue.work import PORTS_OPTION, WORKSPACES_OPTION
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import Pages, Renderer


def pages(report: Report | None = None, config: Config | None = None) -> Pages:
    return Renderer().render(collect_all(report or example_report(), config or defaults()).families)


def promtool(page: str) -> tuple[int, str]:
    """Exit status and all words of `promtool check metrics`; Debian has it in the package prometheus."""
    found = run_text(["promtool", "check", "metrics"], input=page)
    return found.returncode, found.stdout + found.stderr


MADE = pages()
PAGE = MADE.text.decode()


def empty_report() -> Report:
    return Report(
        timestamp=1.0,
        duration_seconds=0.1,
        interval_seconds=5.0,
        complete=True,
        samples={},
        operations=OperationCounters().report(None, 0.0),
    )


def test_the_example_page_is_as_declared() -> None:
    assert problems(PAGE) == []


def test_a_page_without_any_tmux_is_as_declared() -> None:
    page = pages(empty_report()).text.decode()
    assert problems(page) == []
    assert 'tmux_schedulers{server="",session="",state="armed"} 0.0' in page
    assert 'tmux_exporter_samples_total{result="failed"} 0.0' in page


def test_what_is_off_by_default_is_declared_too() -> None:
    page = pages(
        config=Config(metrics=MetricsSettings(pane_detail=True, ports=True, workspaces=True))
    ).text.decode()
    assert problems(page, options=(PANE_DETAIL, PORTS_OPTION, WORKSPACES_OPTION)) == []
    assert any("is off, but it is on the page" in line for line in problems(page))


def test_the_host_is_off_with_one_flag() -> None:
    page = pages(config=Config(metrics=MetricsSettings(host=False))).text.decode()
    assert "tmux_host" not in page
    assert problems(page, off=(HOST_OPTION,)) == []
    assert any(
        "metrics.host is off, but it is on the page" in line for line in problems(PAGE, off=(HOST_OPTION,))
    )


def test_both_formats_say_the_same() -> None:
    assert differences(PAGE, MADE.openmetrics.decode()) == []


def test_the_golden_page() -> None:
    assert golden_page().decode().splitlines() == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("page", [PAGE, pages(empty_report()).text.decode()], ids=["example", "empty"])
def test_promtool_finds_nothing(page: str) -> None:
    assert promtool(page) == (0, "")


def test_promtool_would_find_something() -> None:
    status, words = promtool(PAGE.replace("tmux_server_cpu_seconds_total", "tmux_server_cpu_milliseconds"))
    assert status != 0
    assert "_total" in words


UNDECLARED = '# HELP tmux_new Something.\n# TYPE tmux_new gauge\ntmux_new{server="default"} 1\n'
ONLY_PLANNED = f"# HELP {PLANNED.name} X.\n# TYPE {PLANNED.name} {PLANNED.kind}\n"


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r"\Z", UNDECLARED, "tmux_new: not declared"),
        (r"\Z", UNDECLARED, "tmux_new: a series of no declared family"),
        (r"\Z", ONLY_PLANNED, f"{PLANNED.name}: declared as planned"),
        (r"# HELP tmux_up 1 when", "# HELP tmux_up One when", "tmux_up: its line of HELP"),
        (r"# TYPE tmux_up gauge", "# TYPE tmux_up counter", "tmux_up: its line of TYPE"),
        (r"# (HELP|TYPE) tmux_up .*\n", "", "tmux_up: its line of HELP"),
        (r"(# TYPE tmux_up gauge\n)", r"\1\1", "tmux_up: 2 lines of TYPE"),
        (r"# HELP tmux_stale", "# UNIT tmux_stale", "tmux_stale_sockets: 1 lines of UNIT"),
        (r'tmux_up\{server="default"\}', 'tmux_up{server="default",pid="7"}', "its labels are to be"),
        (r'tmux_up\{server="default"\}', "tmux_up", "its labels are to be"),
        (r'le="0.25",server="default"', 'server="default"', "its labels are to be"),
        (r'(tmux_up\{server="default"\}) 1.0', r"\1 2", "2 is neither 0 nor 1"),
        (r'(tmux_up\{server="default"\} 1.0\n)', r"\1\1", "2 times on one page"),
        (r"(tmux_stale_sockets) 2.0", r"\1 -1", "-1 is below 0"),
        (r"(tmux_stale_sockets) 2.0", r"\1 NaN", "nan is not a value"),
        (r"(tmux_stale_sockets 2.0)", r"\1 1795500000000", "a timestamp"),
        (r"(tmux_pane_info\{.*\}) 1.0", r"\1 3", "an info is 1"),
        (r'session="team"', 'session="te\tam"', r"no finished label, session='te\tam'"),
        (r'session="team"', f'session="{"n" * 129}"', "no finished label, session='nnn"),
        (r'reason="hung"', 'reason="tired"', "reason='tired' is not in its closed list"),
        (
            r'tmux_server_query_failures_total\{reason="partial".*\n',
            "",
            "members of a closed list start at 0",
        ),
        (r'tmux_schedulers\{.*session="team",state="armed".*\n', "", "members of a closed list start at 0"),
        (r'tmux_exporter_samples_total\{result="failed".*\n', "", "members of a closed list start at 0"),
        (r"tmux_exporter_unreadable_processes\{.*\n", "", "members of a closed list start at 0"),
        (r'tmux_schedulers\{.*session="team".*\n', "", "tmux_schedulers: no series for {'server': 'claude"),
        (r'tmux_scheduler_cpu_seconds_total\{.*"armed".*\n', "", "of which tmux_schedulers has one"),
        (r'tmux_leaked_cpu_seconds_total\{.*"mcp_server".*\n', "", "of which tmux_leaked_processes has one"),
        (r'tmux_agent_state_seconds_total\{.*"idle".*\n', "", "of which tmux_agent_state has one"),
        (r'tmux_server_query_failures_total\{.*"default".*\n', "", "which tmux_up has"),
        (r'tmux_server_query_duration_seconds\w*\{.*"default".*\n', "", "which tmux_up has"),
        (r'tmux_session_cpu_seconds_total\{.*"team".*\n', "", "which tmux_session_info has"),
        (r'tmux_pane_cpu_seconds_total\{.*"%7".*\n', "", "which tmux_pane_info has"),
        (r'tmux_agent_cpu_seconds_total\{.*"team".*\n', "", "which tmux_agent_info has"),
        (r'tmux_server_info\{.*"default".*\n', "", "which tmux_server_sessions has"),
        (r'tmux_host_cpu_seconds_total\{mode="steal".*\n', "", "members of a closed list start at 0"),
        (r'tmux_host_filesystem_avail_bytes\{mountpoint="/".*\n', "", "tmux_host_filesystem_size_bytes has"),
    ],
)
def test_the_checker_sees(pattern: str, replacement: str, complaint: str) -> None:
    page, planted = re.subn(pattern, replacement, PAGE)
    assert planted
    assert any(complaint in line for line in problems(page)), problems(page)


def test_a_falling_counter_is_seen() -> None:
    lower = PAGE.replace('tmux_exporter_samples_total{result="complete"} 41.0', "")
    assert falling(PAGE, lower) == []
    lower = re.sub(r"(samples_total\{result=.complete.\}) 41.0", r"\1 40.0", PAGE)
    assert falling(PAGE, lower) == ["tmux_exporter_samples_total{'result': 'complete'} fell from 41 to 40"]
    lower = re.sub(r'(query_duration_seconds_count\{server="default"\}) 3.0', r"\1 2.0", PAGE)
    assert len(falling(PAGE, lower)) == 1
    assert falling(PAGE, re.sub(r"tmux_stale_sockets 2.0", "tmux_stale_sockets 1.0", PAGE)) == []


def test_a_difference_between_the_formats_is_seen() -> None:
    other = MADE.openmetrics.decode()
    assert len(differences(PAGE, other.replace("tmux_stale_sockets 2.0", "tmux_stale_sockets 3.0"))) == 2
    assert differences(PAGE, other.replace("# EOF\n", "")) == ["not OpenMetrics: Missing # EOF at end"]
