"""The exported rules as Debian's vmalert runs them against a real server, beside a Prometheus."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.programs.up import get, query
from tests.support.scenes.main_job import address_of, program
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus

EXPECTED = """\
agents:
  expected:
    - {session: work, agent: lead}
    - {session: work, agent: second}
"""
JOBS = "tmux|agents"
TOLD = {"Watchdog", "TmuxAgentsAllAbsent"}
FIRES = 'ALERTS{alertstate="firing"}'


def exported(folder: Path, *words: str) -> list[Path]:
    """The rules as the installed command writes them."""
    command = (str(Path(sys.executable).with_name("tmux-exporter")), "export", "rules", "--out", str(folder))
    subprocess.run((*command, *words), check=True, stdout=subprocess.DEVNULL)
    return [folder / "recording", folder / "alerting"]


def victoria(folder: Path, target: dict[str, Any]) -> prometheus.Child:
    """VictoriaMetrics, which scrapes the target each second."""
    configuration = folder / "scrape.yml"
    scrape = {"job_name": "tmux", "scrape_interval": "1s", "static_configs": [target]}
    configuration.write_text(prometheus.as_json({"scrape_configs": [scrape]}))
    flags = ("-search.latencyOffset=0s", "-retentionPeriod=1", f"-storageDataPath={folder / 'victoria'}")
    return started(folder, "victoria-metrics", f"-promscrape.config={configuration}", *flags)


def started(folder: Path, name: str, *words: str) -> prometheus.Child:
    address, log = f"127.0.0.1:{prometheus.free_port(0)}", folder / f"{name}.log"
    process = prometheus.spawn((program(name), f"-httpListenAddr={address}", *words), log)
    child = prometheus.Child(name=name, log=log, process=process, url=f"http://{address}")
    wait_for(lambda: prometheus.fetch(f"{child.url}/health"), f"{name} answers", 60)
    return child


@pytest.fixture
def both(
    tmux_server: StartTmux, start_exporter: StartExporter, tmp_path: Path
) -> Iterator[tuple[prometheus.Child, prometheus.Child, prometheus.Child]]:
    """VictoriaMetrics, vmalert, Prometheus."""
    tmux_server("default")
    (tmp_path / "exporter.yml").write_text(EXPECTED)
    exporter = start_exporter("--config", str(tmp_path / "exporter.yml"))
    target = {"targets": [address_of(exporter.url)], "labels": {"always_on": "yes", "team": "platform"}}
    rules = exported(tmp_path / "rules", "--job", JOBS)
    with ExitStack() as stack:
        database = victoria(tmp_path, target)
        stack.callback(prometheus.stop, [database])
        vmalert = started(
            tmp_path,
            "vmalert",
            *(f"-rule={each}/*.yml" for each in rules),
            *(f"-{name}.url={database.url}" for name in ("datasource", "remoteWrite", "remoteRead")),
            *("-notifier.url=http://127.0.0.1:1", "-evaluationInterval=2s", "-rule.validateTemplates=true"),
        )
        stack.callback(prometheus.stop, [vmalert])
        since = exported(tmp_path / "since", "--job", JOBS, "--engine", "prometheus-2.42")
        settings = json.loads(prometheus.prometheus_config("", None, 1.0, []))
        settings["rule_files"] = [f"{each}/*.yml" for each in since]
        settings["global"]["evaluation_interval"] = "2s"
        settings["scrape_configs"][0]["static_configs"] = [target]
        server = prometheus.start_prometheus(program("prometheus"), tmp_path, prometheus.as_json(settings))
        stack.callback(prometheus.stop, [server])
        wait_for(partial(prometheus.fetch, f"{server.url}/-/ready"), "Prometheus is ready", 60)
        yield database, vmalert, server


def names(url: str, expression: str, label: str) -> set[str]:
    """The values of a label that an expression finds."""
    return {labels[label] for labels, _ in query(url, expression)}


def fires(url: str) -> bool:
    return names(url, FIRES, "alertname") >= TOLD


@pytest.mark.long
@pytest.mark.timeout(900)
def test_vmalert_runs_the_rules_as_prometheus_does(
    both: tuple[prometheus.Child, prometheus.Child, prometheus.Child],
) -> None:
    database, vmalert, server = both
    for url in (database.url, server.url):
        wait_for(partial(fires, url), f"they fire at {url}", 400)
        assert names(url, f"{FIRES[:-1]}, instance!=''}}", "team") == {"platform"}
    recorded = partial(names, expression='{__name__=~"[a-z]+:tmux_.*"}', label="__name__")
    # What reads something recorded finds it an evaluation later, of days two minutes later. Of ALERTS too:
    # vmalert writes them to the database from which it reads.
    wait_for(lambda: recorded(database.url) >= recorded(server.url), "vmalert records as much", 300)
    assert names(database.url, FIRES, "alertname") == names(server.url, FIRES, "alertname")
    groups = json.loads(get(f"{vmalert.url}/api/v1/rules"))["data"]["groups"]
    assert {rule["lastError"] for each in groups for rule in each["rules"]} == {""}
    text = {labels["alertname"]: labels for labels, _ in query(database.url, FIRES)}
    assert text["TmuxAgentsAllAbsent"]["priority"] == "P1"


@pytest.mark.long
def test_what_only_prometheus_reads_is_refused_by_vmalert(tmp_path: Path) -> None:
    """So that nobody takes the one for the other; when it reads it, the flavour is needed no more."""
    for words, status in (((), 0), (("--engine", "prometheus-2.42"), 1)):
        rules = exported(tmp_path / str(status), *words)
        dry = (program("vmalert"), "-dryRun", *(f"-rule={each}/*.yml" for each in rules))
        done = subprocess.run(dry, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(status), done.stderr
        assert ("keep_firing_for" in done.stderr) == bool(status), done.stderr
    assert yaml.safe_load((tmp_path / "0" / "alerting" / "agents.yml").read_text())["groups"]
