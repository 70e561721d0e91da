"""The alerts as they are shipped: what the tools say, what they are made of, and that nothing is left out."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import generate
from tests.support.alerts.files import (
    ALERTMANAGER,
    ALERTS,
    GROUPS,
    RULES,
    RUNBOOKS,
    TESTS,
    rules_of,
    run,
    shipped,
    survivors,
)
from tests.support.alerts.promised import EXPECTED, catalogued, labels, there
from tests.support.alerts.promql import named_labels, selected
from tests.support.literals.planned import PLANNED
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.alert import kept
from tmux_exporter.alerting.base.scope import RUNBOOKS as RUNBOOKS_URL
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import LEVELS, PRIORITIES, Thresholds
from tmux_exporter.alerting.recording import operations
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.analysis.agents import counters
from tmux_exporter.metrics.catalogue import BY_NAME
from tmux_exporter.metrics.catalogue.family import FamilyStatus

NUMBERS = thresholds.load()
SCOPE = Scope(thresholds=NUMBERS)
SHIPPED = shipped()
ALERT_RULES: list[dict[str, Any]] = rules.alerts(SCOPE)
README = (ALERTS / "README.md").read_text()
NAMES = sorted({rule["alert"] for rule in ALERT_RULES})
BEYOND_THE_CATALOGUE = {"up": ("always_on",), "ALERTS": ("alertname", "alertstate")}
OF_EVERY_TARGET = {"job", "instance"}


def test_the_programs_this_test_needs_are_installed() -> None:
    missing = [name for name in ("promtool", "amtool") if not shutil.which(name)]
    assert not missing, (
        f"install {missing}: `make test` does it with apt (prometheus, prometheus-alertmanager)"
    )


# What is shipped is what the numbers make.


def test_the_shipped_files_are_generated_byte_by_byte() -> None:
    for path, text in (generate.files(SCOPE) | generate.test_files()).items():
        assert (ALERTS / path).read_text() == text, f"{path}: run `make docs`"


def test_yaml_and_data_say_the_same() -> None:
    assert rules.rule_file(SCOPE) == SHIPPED
    assert alertmanager_config(NUMBERS) == yaml.safe_load(ALERTMANAGER.read_text())


def test_the_shipped_yaml_is_plain() -> None:
    for path in (*RULES, ALERTMANAGER, *TESTS):
        kinds = {type(token) for token in yaml.scan(path.read_text())}
        assert not kinds & {yaml.AnchorToken, yaml.AliasToken, yaml.TagToken}, path
    # A template is broken only between its words.
    assert all(len(line) <= 130 for path in (*RULES, ALERTMANAGER) for line in path.read_text().splitlines())


def test_the_file_of_thresholds_lies_in_the_package_and_is_shown_beside_the_alerts() -> None:
    shown = ALERTS / "thresholds.toml"
    assert shown.is_symlink()
    assert Thresholds(tables=tomllib.loads(shown.read_text())) == NUMBERS


def test_every_test_evaluates_what_is_recorded_before_what_reads_it() -> None:
    for path in TESTS:
        suite = yaml.safe_load(path.read_text())
        files = {file for pattern in suite["rule_files"] for file in path.parent.glob(pattern)}
        loaded = {group["name"] for file in files for group in yaml.safe_load(file.read_text())["groups"]}
        assert suite["group_eval_order"] == [name for name in GROUPS if name in loaded], path
        made = [rule for group in SHIPPED["groups"] if group["name"] in loaded for rule in group["rules"]]
        reads = {each.name for rule in made for each in selected(rule["expr"])}
        assert reads & set(rules.recorded(SCOPE)) <= {rule.get("record") for rule in made}, path


def test_a_rule_reads_only_what_is_recorded_before_it() -> None:
    recorded = rules.recorded(SCOPE)
    done: set[str] = set()
    for rule in _rules(SHIPPED):
        assert {each.name for each in selected(rule["expr"]) if each.name in recorded} <= done, rule
        done.add(rule.get("record", ""))


def test_recorded_series_are_named_level_metric_operations_and_each_is_tested() -> None:
    for name in rules.recorded(SCOPE):
        assert re.fullmatch(
            r"(job|instance|resource|server|session|agent|device|mountpoint|operation):tmux_\w+:"
            r"(count|sum|seconds|ratio|(ratio_rate|mean_rate|burn_rate|rate|min)\d+[mhd])",
            name,
        ), name
    # Directly, or by the rules that read it.
    asked = {each.name for rule in _rules(SHIPPED) for each in selected(rule["expr"])}
    asked |= {
        each.name
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("promql_expr_test", ())
        for each in selected(case["expr"])
    }
    assert set(rules.recorded(SCOPE)) - asked == set()


def _rules(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (rule for group in content["groups"] for rule in group["rules"])


# What the tools say.


def test_promtool_has_nothing_to_complain_of(tmp_path: Path) -> None:
    lint = ("promtool", "check", "rules", "--lint=all", "--lint-fatal")
    status, output = run(*lint, *RULES)
    assert status == 0, output
    twice = tmp_path / "twice.yml"
    group = SHIPPED["groups"][1]
    twice.write_text(yaml.safe_dump({"groups": [group | {"rules": [group["rules"][0]] * 2}]}))
    assert run(*lint, twice)[0] != 0


def tried(path: Path) -> Any:
    """A file of tests; those that a program has written, or that hold days, take promtool minutes of CPU."""
    long = path.parent.name == "mechanical" or path.stem in ("held", "slo_days", "slo_days_burn")
    marks = [pytest.mark.long] if long else []
    return pytest.param(path, id=f"{path.parent.name}-{path.stem}", marks=marks)


@pytest.mark.parametrize("path", [tried(path) for path in TESTS])
def test_the_rules_do_what_their_tests_say(path: Path) -> None:
    status, output = run("promtool", "test", "rules", path)
    assert status == 0, output


FIRING = re.compile(
    r'ALERTS\{alertname="(?P<alert>\w+)", alertstate="firing", .*threshold="(?P<threshold>\w+)"\}'
)


def test_every_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    fires: set[tuple[str, str]] = set()
    quiet: set[str] = set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", ()):
                for alert in case.get("exp_alerts", ()):
                    fires.add((case["alertname"], alert["exp_labels"].get("threshold", "")))
                if not case.get("exp_alerts"):
                    quiet.add(case["alertname"])
            for case in test.get("promql_expr_test", ()):
                for sample in case.get("exp_samples", ()):
                    if match := FIRING.fullmatch(sample["labels"]):
                        fires.add((match["alert"], match["threshold"]))
    assert fires == {(rule["alert"], rule["labels"].get("threshold", "")) for rule in ALERT_RULES}
    assert quiet == {*NAMES} - {"Watchdog"}


# How an alert looks.


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_the_looks_of_an_alert(rule: dict[str, Any]) -> None:
    notes, labels = rule["annotations"], rule["labels"]
    assert re.fullmatch(r"Tmux([A-Z][a-z]+)+|Watchdog", rule["alert"])
    told = {"summary", "description", "runbook_url"}
    if rule["alert"] != "Watchdog":
        told |= {"command", "resolved"}
    assert told <= notes.keys() <= told | {"value", "culprits"}
    assert re.fullmatch(r"[A-Z][^{}]*\.", notes["summary"])
    assert notes["description"].endswith(".")
    assert notes["runbook_url"] == f"{RUNBOOKS_URL}/{rule['alert']}.md"
    if rule["alert"] == "Watchdog":
        assert labels == {"severity": "none"}
        return
    assert labels.keys() - {"threshold"} == {"severity", "priority"}
    assert (
        labels["severity"]
        == {"P1": "critical", "P2": "critical", "P3": "warning", "P4": "info"}[labels["priority"]]
    )
    levels = [other for other in ALERT_RULES if other["alert"] == rule["alert"]]
    assert ("threshold" in labels) is (len(levels) > 1)
    assert labels.get("threshold", "warning") in LEVELS
    assert "{{ $value" in notes["description"] or re.search("== [01]", rule["expr"])


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("[A-Z]*.md") if path.stem != "README") == NAMES


def test_the_table_of_the_readme_has_each_alert_with_its_priorities() -> None:
    rows = re.findall(r"^\| (Tmux[^|]+) \| (?:symptom|cause) \| ([^|]+) \| ([^|]+) \|", README, re.MULTILINE)
    told = [(name, *rest) for names, *rest in rows for name in names.split(", ")]
    wanted: dict[str, dict[str, str]] = {}
    for rule in ALERT_RULES:
        if rule["alert"] != "Watchdog":
            priority = rule["labels"]["priority"]
            wanted.setdefault(rule["alert"], {})[priority] = NUMBERS.text(priority, "receiver")
    assert sorted(told) == sorted(
        (name, ", ".join(sorted(found)), ", ".join(dict.fromkeys(found[each] for each in sorted(found))))
        for name, found in wanted.items()
    )


# What the expressions ask for.


def allowed_labels(name: str) -> set[str]:
    """The labels that a series can have in Prometheus."""
    if name in BEYOND_THE_CATALOGUE:
        return {*BEYOND_THE_CATALOGUE[name], *OF_EVERY_TARGET}
    made = [rule for rule in _rules(SHIPPED) if rule.get("record") == name]
    if made:
        return {label for rule in made for label in labels_of(rule)}
    there(name)
    return labels(name) | OF_EVERY_TARGET


def labels_of(rule: dict[str, Any]) -> set[str]:
    """The labels that what a rule makes can have."""
    used = {label for each in selected(rule["expr"]) for label in allowed_labels(each.name)}
    return used | set(rule.get("labels", {}))


def problems(rule: dict[str, Any]) -> list[str]:
    """What a rule asks for that is not there."""
    found = []
    labels: set[str] = set()
    for name, matchers in selected(rule["expr"]):
        try:
            allowed = allowed_labels(name)
        except KeyError:
            found.append(f"no built metric {name}")
            continue
        labels |= allowed
        if "job" not in {label for label, _, _ in matchers}:
            found.append(f"{name} of any job")
        for label, operator, value in matchers:
            closed = BY_NAME[name].closed.get(label) if name in BY_NAME else None
            values = value.split("|") if operator in ("=~", "!~") else [value]
            if label not in allowed:
                found.append(f"{name} has no label {label}")
            elif closed is not None and not set(values) <= set(closed):
                found.append(f"{name} has no {label} {value}")
    texts = " ".join(rule.get("annotations", {}).values())
    used = named_labels(rule["expr"]) | set(re.findall(r"\$labels\.(\w+)", texts))
    return found + [f"no label {label}" for label in sorted(used - labels - set(rule.get("labels", {})))]


@pytest.mark.parametrize("rule", list(_rules(SHIPPED)), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_series_of_a_rule_is_built_with_the_labels_that_it_uses(rule: dict[str, Any]) -> None:
    assert problems(rule) == []


def test_what_is_awaited_is_promised_and_used() -> None:
    assert {each.name for rule in _rules(SHIPPED) for each in selected(rule["expr"])} >= EXPECTED
    built = {name for name in EXPECTED if catalogued(name).status is FamilyStatus.BUILT}
    assert built == set(), "these are built: take them out of EXPECTED"


@pytest.mark.parametrize(
    ("expr", "problem"),
    [
        (f'{PLANNED.name}{{job="tmux"}}', f"no built metric {PLANNED.name}"),
        ('tmux_no_such_thing{job="tmux"}', "no built metric tmux_no_such_thing"),
        ("tmux_up == 0", "tmux_up of any job"),
        ('tmux_up{job="tmux", session="a"}', "tmux_up has no label session"),
        ('tmux_schedulers{job="tmux", state="lost"}', "tmux_schedulers has no state lost"),
        ('tmux_schedulers{job="tmux", state=~"dangling|lost"}', "tmux_schedulers has no state dangling|lost"),
        ('sum by (session) (tmux_up{job="tmux"})', "no label session"),
        ('tmux_up{job="tmux"} and on (agent) tmux_up{job="tmux"}', "no label agent"),
    ],
)
def test_a_planted_expression_is_refused(expr: str, problem: str) -> None:
    assert problems({"expr": expr}) == [problem]


def test_a_planted_text_is_refused() -> None:
    rule = {"expr": 'tmux_up{job="tmux"}', "annotations": {"summary": "{{ $labels.agent }} is down"}}
    assert problems(rule) == ["no label agent"]


# The numbers.


OF_ROUTES = ("respond_within", "receiver", "group_wait", "group_interval", "repeat_interval")


def changed(table: str) -> Iterator[tuple[str, object]]:
    """Each number of a table that a rule is made of, a little less and a little more."""
    for key, value in NUMBERS.tables[table].items():
        # The windows of service levels are in the names of what is recorded: see WEAKENED.
        if key in (*OF_ROUTES, "long", "short", "budget", "interval"):
            continue
        # A day in steps of 15 s takes too long to play.
        if (table, key) == ("agent_recovery", "within"):
            continue
        for other in _near(table, key, value):
            yield key, other


MADE_OF = [
    table
    for table in NUMBERS.tables
    if any(changed_key not in OF_ROUTES for changed_key in NUMBERS.tables[table])
]


COARSE = {
    **dict.fromkeys(("memory_grows", "fds_grow", "leaks_grow", "history_grows"), 60.0),
    **dict.fromkeys(("leak_old", "slo_spent", "slo_burn_hours", "slo_burn_days"), 3600.0),
    "slo_burn_page": 300.0,
}
"""By how much the patience is changed of what is tested with few evaluations."""


def _near(table: str, key: str, value: object) -> list[object]:
    if isinstance(value, int):
        least = max(1, value // 50)
        return [value - least, value + least]
    if isinstance(value, float):
        # How often an agent is idle is a share of sixty samples.
        step = 0.04 if key == "idle_ratio" else 0.02 if value > 3 else 0.002
        return [value - step, value + step]
    assert isinstance(value, str)
    if value in PRIORITIES:
        return ["P2" if value == "P1" else "P1"]
    if key == "severity":
        return ["none"]
    seconds = Thresholds(tables={"a": {"a": value}}).seconds("a", "a")
    if seconds == 0:
        return [f"{COARSE.get(table, 15.0):.0f}s"]
    # A window moves an alert by less than its own length; what takes hours is tested with few evaluations.
    if key == "for":
        step = COARSE.get(table, 15.0)
    else:
        step = 30 if seconds < 1800 else 300 if seconds < 3600 else 0.1 * seconds
    return [f"{seconds - step:.0f}s", f"{seconds + step:.0f}s"]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("table", MADE_OF)
def test_each_number_a_little_less_or_more_makes_a_test_of_the_rules_fail(tmp_path: Path, table: str) -> None:
    mutants = {}
    for key, value in changed(table):
        tables = {name: dict(values) for name, values in NUMBERS.tables.items()}
        tables[table][key] = value
        mutants[f"[{table}] {key} = {value}"] = rules_of(tables)
    assert survivors(tmp_path, mutants) == set(), "no test stands on that side of these numbers"


# The windows of service levels, and others.
WINDOWS = (
    *(("5m", "4m"), ("5m", "6m"), ("30m", "25m"), ("30m", "35m"), ("1h", "50m"), ("1h", "70m")),
    *(("2h", "110m"), ("2h", "130m"), ("6h", "5h"), ("6h", "7h"), ("24h", "20h"), ("24h", "28h")),
    *(("72h", "70h"), ("72h", "80h"), ("720h", "700h"), ("720h", "740h")),
)

PROCESSES = 'tmux_exporter_collector_success{collector="processes"}'
RELOADED = "tmux_exporter_config_last_reload_successful{}"
LIVES = "tmux_server_start_time_seconds{}"
ENFORCES = 'tmux_remediator_mode{mode="enforce"}'
INTERVAL = "tmux_exporter_sample_interval_seconds{}"
SAMPLED = 'tmux_exporter_last_sample_timestamp_seconds{job="tmux"}'
BEHIND = 'instance:tmux_exporter_clock_behind:seconds{job="tmux"}'
ALLOWED = SCOPE.promql(operations.ALLOWED)
SECONDS = SCOPE.promql("last_over_time(tmux_operation_objective_seconds{}[5m])")
PLACE = "job, instance, server, session, agent"
STATE = 'tmux_agent_state{{state="{}"}}'


def held(series: str, indent: int = 0, where: str = "") -> str:
    """What a rule writes for a series that counts on while scrapes fail."""
    return SCOPE.promql(kept(series, indent, where=where))


# By what a part of an expression is replaced, so that it asks for too much or too little.
WEAKENED = (
    (' or absent(up{job="tmux"})', ""), ('up{job="tmux", always_on="yes"} == 0 or ', ""),
    (f"12 * {held(INTERVAL)}", "60"), (f"  and {BEHIND} > 12 * {held(INTERVAL, 2)}\n", ""),
    *((f"\nand changes({SAMPLED}[5m]) {which}", "") for which in ("== 0", "> 0")),
    ('result!="complete"', 'result="partial"'), ('result!="complete"', 'result="failed"'),
    (f"\n  and on (job, instance) {held(PROCESSES, 2)} == 0", ""),
    ('\n  and on (job, instance) up{job="tmux"} == 0', ""),
    ('\n  or last_over_time(tmux_agent_state{job="tmux", state="exited"}[3m]) == 1', ""),
    (', collector="processes"', ""), ("sum without (result)", "sum without (result, instance)"),
    (f"{held(RELOADED)} == 0", f"{held(RELOADED)} == 1"), (f"\nand {held(LIVES)}", ""),
    ("denied|untrusted", "denied"),
    ("denied|untrusted", "untrusted"), ("denied|untrusted", "denied|untrusted|hung"),
    (" == 0 unless", " unless"), (f" unless {held(LIVES)}", ""),
    ("on (job, instance, server) (", "on (server) ("),
    ("on (job, instance, server, session, agent)", "on (server, session, agent)"),
    ("count without (session, agent)", "sum without (session, agent)"),
    (' + tmux_agent_swap_memory_bytes{job="tmux"}', ""), ('\n  or tmux_agent_memory_bytes{job="tmux"}', ""),
    *((f':rate5m{{job="tmux"}}[{window}]', f':rate5m{{job="tmux"}}[{other}]') for window, other in WINDOWS),
    ("idle|iowait|steal", "idle|iowait"), ("idle|iowait|steal", "idle|steal"), ("round(", "("),
    (" < 0)", ")"),
    ('\n  or rate(tmux_host_network_transmit_bytes_total{job="tmux"}[5m])\n', "\n"),
    ('tmux_host_network_speed_bytes{job="tmux"} > 0\n  or ', ""),
    ('_limit{job="tmux"} > 0)', '_limit{job="tmux"})'),
    ('tmux_host_cores:count{job="tmux"} > 0', 'tmux_host_cores:count{job="tmux"} > 9'),
    ('/ (tmux_session_cpu_limit_cores{job="tmux"} > 0)', '/ (tmux_session_cpu_limit_cores{job="tmux"} > 9)'),
    (" == 0 and tmux_server_start_time_seconds", " and tmux_server_start_time_seconds"),
    (' == 0 and tmux_server_start_time_seconds{job="tmux"}', " == 0"),
    *(
        (part, "")
        for part in (
            ', action!="warn"',
            ', outcome="done"',
            ', slo!~"exporter|throughput"',
            ', outcome="missed"',
        )
    ),
    (f"\nand on (job, instance) {held(ENFORCES)} == 1", ""),
    (" offset 15m == 1", " == 1"), (', pane=""', ""),
    (f"\n  and on ({PLACE})\n  {held(STATE.format('exited'), 2, ' == 1')}\n", "\n"),
    *(
        (f"\n  and {held(STATE.format(state), 2, where)}\n", "\n")
        for state, where in (("working", " == 1"), ("idle", ""))
    ),
    ("exporter|throughput", "exporter"), (', slo=~"errors|latency|throughput|recovery"', ""),
    ("errors|latency|throughput|recovery", "errors|latency|recovery"),
    ("errors|latency|throughput|recovery", "errors|latency|throughput"),
    ('throughput|recovery"}[1h]', 'throughput|recovery"}[1s]'),
    ('throughput|recovery"}[720h]', 'throughput|recovery"}[48h]'),
    (" > bool 1.667\n", " > bool 1.6\n"), (" > bool 1.667\n", " > bool 1.7\n"),
    (" < bool 100)", " < bool 99)"), (" < bool 100)", " < bool 101)"),
    ('\nand sum without (operation) (tmux_operations_in_flight{job="tmux"})\n', "\n"),
    ('\nand sum without (operation) (tmux_operations_in_flight{job="tmux"} offset 5m)\n', "\n"),
    (SECONDS, 'tmux_operation_objective_seconds{job="tmux"}'), (f"\n  / {SECONDS}", "/ 2"),
    (") / 60\n* (60 * ", ") / 60\n* (120 * "),
    (
        "\nunless on (job, instance, server, session, agent)\n",
        "\nand on (job, instance, server, session, agent)\n",
    ),
    (' == 1 and on (job, instance, server) tmux_up{job="tmux"} == 1', " == 1"),
    (" == 1 and on (job, instance, server) tmux_up", " and on (job, instance, server) tmux_up"),
    ("\nor ignoring (slo) ", "\nand ignoring (slo) "),
    ('\n  and rate(tmux_operation_slow_total{job="tmux"}[5m])', ""),
    (ALLOWED, 'tmux_operation_objective_ratio{job="tmux"}'), (f"\n  / (1 - {ALLOWED})", ""),
    (', le=~"300(\\\\.0)?"', ""), (', le=~"300(\\\\.0)?"', ', le=~"(300|900)(\\\\.0)?"'),
    (', le=~"300(\\\\.0)?"', ', le="300.0"'), (', le=~"300(\\\\.0)?"', ', le="120.0"'),
    (', state="dangling"', ""), ('job="tmux"', 'job!=""'),
)  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("part", "instead"), WEAKENED)
def test_each_part_of_an_expression_is_needed_by_a_test(tmp_path: Path, part: str, instead: str) -> None:
    mutant = rules_of(NUMBERS.tables)
    hit = [rule for rule in _rules(mutant) if part in rule["expr"]]
    assert hit
    for rule in hit:
        rule["expr"] = rule["expr"].replace(part, instead)
    assert survivors(tmp_path, {part: mutant}) == set()


def test_a_service_level_starts_at_a_bucket_bound() -> None:
    assert NUMBERS.number("agent_recovery", "seconds") in counters.RECOVERY_BOUNDS


def test_a_rule_that_does_something_else_is_noticed(tmp_path: Path) -> None:
    mutants = {}
    for table, key, value in (("exporter_down", "for", "105s"), ("operations", "over", "330s")):
        tables = {name: dict(values) for name, values in NUMBERS.tables.items()}
        tables[table][key] = value
        mutants[table] = rules_of(tables)
    same = rules_of(NUMBERS.tables)
    for rule in _rules(same):
        if rule.get("alert") == "TmuxExporterDown":
            rule["expr"] = f"({rule['expr']})"
    mutants |= {"none": rules_of(NUMBERS.tables), "the same in other words": same}
    assert survivors(tmp_path, mutants) == {"none", "the same in other words"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "[exporter_down] priority is missing"),
        ('priority = "P5"', "[exporter_down] priority: 'P5' is none of P1, P2, P3, P4"),
        ("priority = 1", "[exporter_down] priority: 1 is not a text"),
    ],
)
def test_a_file_with_a_mistake_names_its_place(text: str, problem: str) -> None:
    wrong = thresholds.parse(f"[exporter_down]\n{text}")
    with pytest.raises(ValueError, match=re.escape(problem)):
        rules.rule_file(Scope(thresholds=Thresholds(tables={**NUMBERS.tables, **wrong.tables})))


def test_numbers_and_durations_name_their_place() -> None:
    wrong = thresholds.parse('[a]\nratio = "much"\nyes = true\nfor = "5"')
    for key in ("ratio", "yes"):
        with pytest.raises(ValueError, match=rf"\[a\] {key}: .* is not a number"):
            wrong.number("a", key)
    with pytest.raises(ValueError, match=r"\[a\] for: '5' has no unit; write 5s or 5m"):
        wrong.seconds("a", "for")


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("up{} == 0", 'up{job="a"} == 0'),
        ('up{state="x"} or up{}', 'up{job="a", state="x"} or up{job="a"}'),
        ("rate(x{}[$over]) > $most", 'rate(x{job="a"}[30s]) > 0.5'),
        ("x{} offset $over*3", 'x{job="a"} offset 1m30s'),
        ("x{} * $other.most > $level", 'x{job="a"} * 7 > 0.9'),
        ("\n        a{}\n          > 1\n        ", 'a{job="a"}\n  > 1'),
    ],
)
def test_promql_gets_the_job_and_the_numbers(written: str, made: str) -> None:
    numbers = thresholds.parse('[own]\nover = "1m"\nmost = 0.5\ncritical = 0.9\n[other]\nmost = 7')
    scope = Scope(thresholds=numbers, time_scale=0.5, job="a")
    assert scope.promql(written, table="own", level="critical") == made


def test_promql_names_the_number_that_is_missing() -> None:
    with pytest.raises(ValueError, match=r"\[own\] most is missing"):
        Scope(thresholds=thresholds.parse("[own]")).promql("x{} > $most", table="own")
