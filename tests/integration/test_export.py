"""What `tmux-exporter export` writes is taken by the programs it is for, and nothing of a user's is lost."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.alerts.files import ALERTS, run
from tests.support.alerts.promql import selected
from tests.support.fixtures import StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process
from tests.support.programs.units import verified
from tests.support.wait import wait_for
from tmux_exporter import PROJECT
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import load
from tmux_exporter.alerting.rules import alerts

REPOSITORY = Path(__file__).parents[2]
NAMES = {str(rule["alert"]) for rule in alerts(Scope(thresholds=load()))}


def export(kind: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tmux_exporter", "export", kind, "--out", str(folder), *arguments]
    return run_text(command)


def exported(kind: str, folder: Path, *arguments: str) -> Path:
    done = export(kind, folder, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    assert sorted(done.stdout.splitlines()) == [f"written   {path}" for path in files]
    assert files
    return folder


def refused(kind: str, folder: Path, *arguments: str) -> str:
    done = export(kind, folder, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = done.stderr.splitlines()
    return line


def rules_in(folder: Path) -> list[dict[str, Any]]:
    groups = [
        group
        for path in sorted(folder.glob("*ing/*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return [rule for group in groups for rule in group["rules"]]


def test_rules_without_options_are_those_of_the_project(tmp_path: Path) -> None:
    folder = exported("rules", tmp_path / "new" / "rules")
    for path in folder.rglob("*.yml"):
        kept = ALERTS / ("" if path.parent.name == "other" else "rules") / path.relative_to(folder)
        assert path.read_text() == kept.read_text(), path
    status, output = run("promtool", "check", "rules", *sorted(folder.glob("*ing/*.yml")))
    assert status == 0, output


def test_rules_for_another_job_with_labels_and_links(tmp_path: Path) -> None:
    folder = exported(
        *("rules", tmp_path / "rules", "--job", 'my "job"', "--runbook-url", "https://wiki.example/r/"),
        *("--label", "team=a b", "--label", "site=x"),
    )
    status, output = run("promtool", "check", "rules", *sorted(folder.glob("*ing/*.yml")))
    assert status == 0, output
    rules = rules_in(folder)
    used = {each for rule in rules for each in selected(rule["expr"])}
    assert {value for each in used for label, _, value in each.matchers if label == "job"} == {'my "job"'}
    alerting = [rule for rule in rules if "alert" in rule]
    assert {rule["annotations"]["runbook_url"] for rule in alerting} == {
        f"https://wiki.example/r/{name}.md" for name in NAMES
    }
    assert all(rule["labels"].items() >= {"team": "a b", "site": "x"}.items() for rule in alerting)
    assert not any("team" in rule.get("labels", {}) for rule in rules if "record" in rule)
    manifest = yaml.safe_load((folder / "other" / "prometheusrule.yml").read_text())
    made = [rule for group in manifest["spec"]["groups"] for rule in group["rules"]]
    assert sorted(map(str, made)) == sorted(map(str, rules))


def test_alertmanager_takes_its_files_where_they_are_written(tmp_path: Path) -> None:
    folder = exported(
        *("alertmanager", tmp_path / "am"),
        *("--board-url", "https://grafana.example/g/", "--webhook", "http://127.0.0.1:1/hook"),
    )
    for name, count in (("alertmanager.yml", 0), ("receivers.example.yml", 1)):
        status, output = run("amtool", "check-config", folder / name)
        assert status == 0, output
        assert f"{count} templates" in output, "the messages are found beside it"
    assert (folder / "alertmanager.yml").read_text().count("http://127.0.0.1:1/hook") == 5
    assert '{{ $boards := "https://grafana.example/g" }}' in (folder / "tmux.tmpl").read_text()


def test_boards_are_those_of_the_project_with_what_provisions_them(tmp_path: Path) -> None:
    folder = exported("boards", tmp_path / "boards")
    kept = REPOSITORY / "dashboards" / "json"
    assert {path.name for path in folder.glob("*.json")} == {path.name for path in kept.glob("*.json")}
    for path in folder.glob("*.json"):
        assert json.loads(path.read_text()) == json.loads((kept / path.name).read_text())
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.yml")) == [
        "provisioning/dashboards/tmux-exporter.yml",
        "provisioning/datasources/tmux-exporter.yml",
    ]


def test_units_start_the_programs_of_this_installation(tmp_path: Path) -> None:
    folder = exported("units", tmp_path / "units")
    starts = {}
    for path in sorted(folder.iterdir()):
        assert verified(path, tmp_path / "home") == []
    for path in sorted(folder.glob("*.service")):
        (starts[path.name],) = re.findall(r"^ExecStart=(.*)", path.read_text(), re.MULTILINE)
    bin_folder = Path(sys.executable).parent
    assert starts == {
        "tmux-exporter.service": f"{bin_folder}/tmux-exporter serve",
        "tmux-exporter@.service": f"{bin_folder}/tmux-exporter serve --web.listen-address ${{LISTEN}} $ARGS",
        "tmux-remediator.service": f"{bin_folder}/tmux-remediator run",
        "tmux-remediator@.service": f"{bin_folder}/tmux-remediator run",
    }
    assert os.access(bin_folder / "tmux-exporter", os.X_OK)


def test_units_start_a_link_as_it_was_called_and_say_its_path_as_systemd_reads_it(tmp_path: Path) -> None:
    odd = tmp_path / "a $b 100%"
    odd.mkdir()
    for name in ("tmux-exporter", "tmux-remediator"):
        (odd / name).symlink_to(Path(sys.executable).parent / name)
    out = tmp_path / "units"
    command: list[str | Path] = [odd / "tmux-exporter", "export", "units", "--out", out]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    for path in sorted(out.glob("*.service")):
        assert verified(path, tmp_path / "home") == []
        assert "/a $b 100%%/tmux-" in path.read_text()
    command[0] = odd.rename(tmp_path / "it's") / "tmux-exporter"
    done = run_text(command)
    assert (
        done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "install it elsewhere" in done.stderr
    )


def test_policies_are_checked_and_observed(tmp_path: Path, socket_dir: Path, tmux_server: StartTmux) -> None:
    tmux_server("fleet")
    policies = exported("policies", tmp_path / "policies", "--force") / "policies.yml"
    assert policies.stat().st_mode & 0o022 == 0
    remediator: list[str | Path] = [sys.executable, "-m", "tmux_exporter.cli.remediator"]
    checked = run_text([*remediator, "check-config", policies])
    assert (checked.returncode, checked.stderr) == (0, "")
    home = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(socket_dir.parent)}
    log = tmp_path / "run.log"
    with log.open("wb") as stream:
        command = [*remediator, "run", "--interval", "500ms", "--policy", policies]
        watching = subprocess.Popen(command, stderr=stream, env=home)
    try:
        status = socket_dir.parent / "tmux-exporter" / "remediator.json"
        wait_for(lambda: status.exists() or watching.poll() is not None, "it tells of itself", 30)
        assert watching.poll() is None, log.read_text()
        first = status.stat().st_mtime_ns
        wait_for(lambda: status.stat().st_mtime_ns != first, "it looks again", 30)
    finally:
        watching.terminate()
        assert watching.wait(30) == 0, log.read_text()
        end_process(watching.pid)


def test_the_tuning_has_the_lines_of_the_project(tmp_path: Path) -> None:
    folder = exported("tuning", tmp_path / "tuning")
    kept = REPOSITORY / "deploy" / "tuning"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        path.name: path.read_text() for path in kept.iterdir()
    }


def test_there_is_a_runbook_for_each_alert_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    folder = exported("runbooks", tmp_path / "books")
    assert {path.stem for path in folder.iterdir()} == NAMES | {"README"}
    links = 0
    for path in folder.iterdir():
        for link in re.findall(r"\]\(([^)\s]+)", path.read_text()):
            file = link.partition("#")[0]
            if file.startswith(PROJECT):
                links += 1
                assert (REPOSITORY / file.removeprefix(f"{PROJECT}/")).is_file(), (path, link)
            elif not file.startswith("http"):
                assert not file or (folder / file).is_file(), (path, link)
    assert links


def test_a_changed_file_is_kept_unless_forced(tmp_path: Path) -> None:
    exported("tuning", tmp_path)
    mine, gone, linked = (tmp_path / name for name in ("tmux.conf", "README.md", "limits.conf"))
    mine.write_text("mine\n")
    gone.unlink()
    kept = tmp_path / "kept" / "limits"
    kept.parent.mkdir()
    linked.rename(kept)
    linked.symlink_to(kept)
    kept.write_text("mine too\n")
    line = refused("tuning", tmp_path)
    assert line.startswith("tmux-exporter: ") and " and 1 more would be overwritten" in line
    assert "--force" in line
    assert mine.read_text() == "mine\n" and not gone.exists(), "nothing at all was written"
    done = export("tuning", tmp_path, "--force", "--json")
    told = {Path(each["path"]).name: each["status"] for each in json.loads(done.stdout)["files"]}
    assert told == {
        "README.md": "written",
        "limits.conf": "replaced",
        "sysctl.conf": "unchanged",
        "tmux.conf": "replaced",
    }
    assert linked.is_symlink() and "nofile" in kept.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*told, "kept"])


@pytest.mark.parametrize(
    ("kind", "option", "value", "words"),
    [
        ("rules", "--runbook-url", "docs/runbooks", "no URL"),
        ("rules", "--job", "", "--job tmux"),
        ("rules", "--label", "team", "NAME=VALUE"),
        ("rules", "--label", "1a=b", "NAME=VALUE"),
        ("rules", "--label", "__a=b", "NAME=VALUE"),
        ("rules", "--label", "severity=page", "take another name"),
        ("rules", "--label", "team={{ x", "template"),
        ("alertmanager", "--board-url", 'https://a" }}', "no URL"),
        ("alertmanager", "--webhook", "here", "no URL"),
    ],
)
def test_a_wrong_value_is_one_line(tmp_path: Path, kind: str, option: str, value: str, words: str) -> None:
    line = refused(kind, tmp_path / "new", option, value)
    assert option in line and words in line
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = export("tuning", tmp_path / "file" / "below")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("tmux-exporter: cannot use ") and "Not a directory" in line
