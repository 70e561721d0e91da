"""Debian's own Zabbix imports `tmux-exporter export zabbix`, discovers a real fleet and raises a trigger."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import libtmux
import pytest

from tests.support.alerts.watched import agent_command
from tests.support.fixtures import StartExporter
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_server
from tests.support.programs.zabbix import Zabbix
from tests.support.wait import wait_for

# A name that keys, patterns and expressions have to quote.
HOSTILE = 'a "b" {#D} $1 {$E}'


class Host:
    """A host of Zabbix with our template, looked at twenty times as often as by default."""

    def __init__(self, zabbix: Zabbix, folder: Path, url: str) -> None:
        self.api = zabbix.api
        command = (Path(sys.executable).with_name("tmux-exporter"), "export", "zabbix", "--out", folder)
        run_text([str(each) for each in command], check=True, timeout=300)
        text = (folder / f"tmux-exporter-{zabbix.version}.json").read_text()
        zabbix.import_template(text)
        # An update is recognised.
        zabbix.import_template(text)
        (template,) = self.api("template.get", {"filter": {"host": "tmux agents"}})
        (group,) = self.api("hostgroup.create", {"name": "fleets"})["groupids"]
        host = {
            "host": "fleet",
            "groups": [{"groupid": group}],
            "templates": [{"templateid": template["templateid"]}],
            "macros": [
                {"macro": "{$TMUX.URL}", "value": url},
                {"macro": "{$TMUX.INTERVAL}", "value": "3s"},
            ],
        }
        (self.id,) = self.api("host.create", host)["hostids"]

    def items(self, key: str = "") -> dict[str, dict[str, Any]]:
        """Items by the name that people see."""
        asked = {"hostids": self.id, "search": {"key_": key}, "startSearch": True, "output": "extend"}
        return {each["name"]: each for each in self.api("item.get", asked)}

    def problems(self) -> dict[str, str]:
        """Severity of each problem by its name."""
        found = self.api("problem.get", {"hostids": self.id, "output": ["name", "severity"]})
        return {each["name"]: each["severity"] for each in found}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_real_zabbix_discovers_a_fleet_and_raises_a_trigger(
    socket_dir: Path, start_exporter: StartExporter, tmp_path: Path
) -> None:
    command, held = agent_command(tmp_path)
    server = libtmux.Server(socket_path=str(socket_dir / "fleet"), config_file="/dev/null")
    server.cmd("new-session", "-d", "-s", "shop", "-n", "lead", "-x", "80", "-y", "24", command)
    server.cmd("new-session", "-d", "-s", HOSTILE, "-n", HOSTILE, "-x", "80", "-y", "24", command)
    wait_for(server.is_alive, "tmux server answers")
    (tmp_path / "exporter.yml").write_text("limits: {agent_memory: 200MiB}\n")
    exporter = start_exporter("--config", str(tmp_path / "exporter.yml"))
    home = socket_dir.parent / "zabbix"
    # The database runs as another user where we are root.
    home.parent.chmod(0o711)
    home.mkdir()
    try:
        with closing(Zabbix(home)) as zabbix:
            host = Host(zabbix, tmp_path / "zabbix", f"{exporter.url}metrics")

            def with_values() -> set[str]:
                found = host.items("tmux.agent_memory_bytes[")
                return {name for name, item in found.items() if float(item["lastvalue"]) > 2**20}

            wait_for(lambda: len(with_values()) == 2, "agents are discovered and have values", 240)
            quiet, plain = sorted(with_values())
            assert (quiet[:12], plain) == ('Agent a "b" ', "Agent lead in shop in fleet: memory")
            sessions = host.items("tmux.session_processes[")
            assert len(sessions) == 2 and all(each["lastvalue"] == "1" for each in sessions.values())
            assert host.items("tmux.up[")["Server fleet: up"]["lastvalue"] == "1"
            assert host.problems() == {}
            held.write_text("195")
            trouble = {"Agent lead in shop in fleet: An agent is near its memory limit (emergency)": "5"}
            wait_for(lambda: trouble.items() <= host.problems().items(), "the emergency is raised", 300)
            held.write_text("0")
            wait_for(lambda: host.problems() == {}, "it is over", 300)
            assert [each["error"] for each in host.items().values() if each["state"] == "1"] == []
            triggers = host.api("trigger.get", {"hostids": host.id, "output": "extend"})
            assert len(triggers) == 14 + 4 + 2 * 6 + 2 * 12
            # What an agent does not have, as a dead pane, has no value.
            errors = {each["error"] for each in triggers if "not enough data" not in each["error"]}
            assert errors <= {""}
    finally:
        end_server(server)
