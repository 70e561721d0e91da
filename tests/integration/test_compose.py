"""deploy/compose/: run by podman-compose with engines from Debian's programs, as far as there are images.

Grafana is in none: its part is judged by the schema of compose and by the files that it is given.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.alerts.files import RULES
from tests.support.pages.markdown import REPOSITORY
from tests.support.processes.run_text import run_text
from tests.support.programs.containers import HostUser, Podman, page
from tests.support.programs.fresh_program import fresh_program
from tests.support.scenes.main_job import program
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children.prometheus import fetch

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

FOLDER = REPOSITORY / "deploy" / "compose"
PROMETHEUS, ALERTMANAGER = "http://127.0.0.1:9090", "http://127.0.0.1:9093"
ENGINE = """
ARG BASE
FROM ${BASE}
COPY program /bin/program
COPY share /usr/share/prometheus
RUN install -d -o 65534 -g 65534 /prometheus /alertmanager
USER 65534
ENTRYPOINT ["/bin/program"]
"""
"""As the images that the file names: a program of nobody, with a folder for its data."""


def asked(url: str) -> Any:
    return json.loads(fetch(url) or b"null")


@pytest.fixture
def composed(engine: Podman, user: HostUser, tmp_path: Path) -> Iterator[None]:
    """All but Grafana, started by the command of the page, with the demo fleet."""
    shutil.copytree("/usr/share/prometheus", tmp_path / "share")
    images = {"EXPORTER_IMAGE": "localhost/tmux-exporter"}
    for name in ("prometheus", "prometheus-alertmanager"):
        shutil.copy(shutil.which(name) or f"apt-get install {name}", tmp_path / "program")
        (tmp_path / "Containerfile").write_text(ENGINE)
        engine.build("--layers=false", "--tag", name, str(tmp_path))
        images[f"{name.rpartition('-')[2].upper()}_IMAGE"] = f"localhost/{name}"
    compose = fresh_program("podman-compose") / "bin" / "podman-compose"
    engine.command("podman-compose", f'exec {compose} "$@"')
    environ = {
        **engine.environ,
        **images,
        "COMPOSE_PROFILES": "agents",
    }
    up = page("sudo TMUX_UID=")
    started = run_text(
        ("sh", "-ec", f"{up} exporter agents prometheus alertmanager"),
        env=environ,
        timeout=300,
        cwd=REPOSITORY,
    )
    assert started.returncode == 0, started.stdout + started.stderr
    yield
    command = up.replace("up --detach", "down --volumes")
    run_text(("sh", "-ec", command), env=environ, timeout=300, cwd=REPOSITORY, check=True)
    assert engine("ps", "--all", "--quiet") == engine("volume", "ls", "--quiet") == ""


@pytest.mark.usefixtures("composed")
def test_one_command_starts_what_watches_the_host_and_a_demo_fleet(engine: Podman) -> None:
    def targets() -> dict[str, str]:
        found = (asked(f"{PROMETHEUS}/api/v1/targets") or {"data": {"activeTargets": []}})["data"]
        return {each["scrapeUrl"]: each["health"] for each in found["activeTargets"]}

    urls = [f"http://127.0.0.1:{port}/metrics" for port in (10077, 10078)]
    wait_for(lambda: targets() == dict.fromkeys(urls, "up"), "both targets are up", 120)
    groups = asked(f"{PROMETHEUS}/api/v1/rules")["data"]["groups"]
    assert len({each["file"] for each in groups}) == len(RULES)
    assert asked(f"{PROMETHEUS}/api/v1/status/flags")["data"]["storage.tsdb.retention.time"] == "5w"

    def told() -> set[str]:
        return {each["labels"]["alertname"] for each in asked(f"{ALERTMANAGER}/api/v2/alerts") or ()}

    wait_for(lambda: "Watchdog" in told(), "the dead man's alert is with Alertmanager", 120)
    host = (fetch("http://127.0.0.1:10077/metrics") or b"").decode()
    assert 'tmux_pane_processes{pane="%0",server="host",session="shop",window="0"} 1.0' in host, engine(
        "logs", "tmux-exporter_exporter_1"
    )
    assert 'tmux_exporter_unreadable_processes{reason="permission"} 0.0' in host
    demo = (fetch("http://127.0.0.1:10078/metrics") or b"").decode()
    assert "tmux_agent_up{" in demo
    for name in ("exporter", "agents"):
        assert engine.run("healthcheck", "run", f"tmux-exporter_{name}_1").returncode == 0, name


def services(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())["services"]
    return found


def test_the_schema_of_compose_takes_it() -> None:
    check = fresh_program("check-jsonschema") / "bin" / "check-jsonschema"
    command = (check, "--builtin-schema", "vendor.compose-spec")
    files = sorted(FOLDER.glob("*[ke].yaml"))
    assert files
    done = run_text((*command, *files))
    assert done.returncode == 0, done.stdout
    refused = run_text((*command, "-"), input="services: {exporter: {image: a, prot: b}}")
    assert refused.returncode == 1


def test_grafana_finds_boards_and_provisioning_where_it_looks() -> None:
    mounts = dict(each.split(":")[:2][::-1] for each in services("compose.yaml")["grafana"]["volumes"])
    provisioning = FOLDER / mounts["/etc/grafana/provisioning"]
    ((provider,),) = (
        yaml.safe_load(each.read_text())["providers"] for each in (provisioning / "dashboards").glob("*.yml")
    )
    boards = FOLDER / mounts[provider["options"]["path"]]
    assert len(list(boards.glob("*.json"))) >= 6
    (source,) = yaml.safe_load((provisioning / "datasources" / "tmux-exporter.yml").read_text())[
        "datasources"
    ]
    assert (
        f"--web.listen-address={source['url'].removeprefix('http://')}"
        in services("compose.yaml")["prometheus"]["command"]
    )
    home = services("compose.yaml")["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (boards / Path(home).name).is_file()


def test_a_stack_asks_for_nothing_that_swarm_ignores() -> None:
    ignored = {
        "pid",
        "network_mode",
        "privileged",
        "security_opt",
        "restart",
        "build",
        "profiles",
        "container_name",
    }
    assert not [name for name, each in services("stack.yaml").items() if ignored & each.keys()]


def test_a_stack_has_all_rules_and_boards() -> None:
    files = {each["file"] for each in yaml.safe_load((FOLDER / "stack.yaml").read_text())["configs"].values()}
    there = {(FOLDER / each).resolve() for each in files}
    boards = (REPOSITORY / "dashboards" / "json").glob("*.json")
    assert not {each.resolve() for each in (*RULES, *boards)} - there
    assert all(each.is_file() for each in there)
    for name in ("prometheus.yml", "swarm/prometheus.yml"):
        checked = run_text((program("promtool"), "check", "config", "--syntax-only", FOLDER / name))
        assert checked.returncode == 0, checked.stderr
