"""Debian's own Nagios runs what `tmux-exporter export nagios` writes, while a fleet really changes."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import libtmux
import pytest

from tests.support.alerts.watched import agent_command
from tests.support.fixtures import StartExporter
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_server, server_pid
from tests.support.wait import wait_for

HOST = """
define host {
    use             tmux-agents-host
    host_name       fleet
    address         127.0.0.1
    hostgroups      tmux-agents
    max_check_attempts 1
    _TMUX_EXPORTER  %s
}
"""
MAIN = """
cfg_file={home}/commands.cfg
cfg_file={home}/services.cfg
cfg_file={home}/host.cfg
cfg_file=/etc/nagios4/objects/commands.cfg
cfg_file=/etc/nagios4/objects/contacts.cfg
cfg_file=/etc/nagios4/objects/templates.cfg
cfg_file=/etc/nagios4/objects/timeperiods.cfg
log_file={home}/nagios.log
object_cache_file={home}/objects.cache
precached_object_file={home}/objects.precache
status_file={home}/status.dat
status_update_interval=1
temp_file={home}/nagios.tmp
temp_path={home}
check_result_path={home}/results
lock_file={home}/nagios.pid
state_retention_file={home}/retention.dat
command_file={home}/nagios.cmd
query_socket={home}/nagios.qh
nagios_user={user}
nagios_group={user}
interval_length=1
use_syslog=0
check_external_commands=0
enable_notifications=0
"""
STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


class Nagios:
    """Runs with files of its own, without mail and without its pages; intervals count seconds."""

    def __init__(self, home: Path, address: str) -> None:
        self.home = home
        program = shutil.which("nagios4", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "install nagios4-core: `make check` does it with apt"
        (home / "results").mkdir()
        command = (Path(sys.executable).with_name("tmux-exporter"), "export", "nagios", "--out", home)
        run_text([str(each) for each in command], check=True)
        (home / "host.cfg").write_text(HOST % address)
        main = home / "nagios.cfg"
        main.write_text(MAIN.format(home=home, user=pwd.getpwuid(os.getuid()).pw_name))
        checked = run_text((program, "-v", str(main)))
        assert checked.returncode == 0 and "Total Errors:   0" in checked.stdout, checked.stdout
        self.process = subprocess.Popen((program, str(main)), stdout=subprocess.DEVNULL)

    def service(self, name: str) -> tuple[str, str, str]:
        """State, output and performance data of a service; empty before its first check."""
        status = self.home / "status.dat"
        for block in status.read_text().split("servicestatus {")[1:] if status.exists() else ():
            told = dict(re.findall(r"^\t(\w+)=(.*)$", block.partition("\n\t}")[0], re.MULTILINE))
            if told["service_description"] == name and told["has_been_checked"] == "1":
                return STATES[int(told["current_state"])], told["plugin_output"], told["performance_data"]
        return "", "", ""

    def await_state(self, state: str, name: str, words: str) -> str:
        """Wait until a service has this state for this reason; its performance data."""
        seen: list[tuple[str, str, str]] = []

        def shows() -> bool:
            seen.append(self.service(name))
            return seen[-1][0] == state and words in seen[-1][1]

        try:
            wait_for(shows, "", 180)
        except AssertionError:
            raise AssertionError(f"{name} is not {state} for {words!r}: {seen[-1]}") from None
        return seen[-1][2]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_real_nagios_follows_a_real_fleet(
    tmp_path: Path, socket_dir: Path, start_exporter: StartExporter
) -> None:
    command, held = agent_command(tmp_path)
    server = libtmux.Server(socket_path=str(socket_dir / "fleet"), config_file="/dev/null")
    server.cmd("new-session", "-d", "-s", "shop", "-n", "lead", "-x", "80", "-y", "24", command)
    wait_for(server.is_alive, "tmux server answers")
    pid = server_pid(server)
    (tmp_path / "exporter.yml").write_text("limits: {agent_memory: 200MiB}\ntmux: {hold: 1s}\n")
    exporter = start_exporter("--config", str(tmp_path / "exporter.yml"))
    home = socket_dir.parent / "nagios"
    home.mkdir()
    nagios = Nagios(home, exporter.url.removeprefix("http://").rstrip("/"))
    memory = "tmux memory"
    try:
        data = nagios.await_state("OK", memory, "1 sessions and 1 agents are below")
        assert re.search(r"'fleet:shop:lead'=[0-9.]+%;75;90;0", data), data
        held.write_text("160")
        nagios.await_state("WARNING", memory, "fleet:shop:lead: 8")
        held.write_text("195")
        nagios.await_state("CRITICAL", memory, "fleet:shop:lead: 9")
        held.write_text("0")
        nagios.await_state("OK", memory, "are below")
        os.kill(pid, signal.SIGSTOP)
        nagios.await_state("UNKNOWN", memory, "tmux server fleet does not answer (hung)")
        os.kill(pid, signal.SIGCONT)
        nagios.await_state("OK", memory, "are below")
        nagios.await_state("OK", "tmux agents", "1 agents are up")
        server.cmd("set-option", "-g", "remain-on-exit", "on")
        agent = int(server.cmd("display-message", "-p", "-t", "shop:lead", "#{pane_pid}").stdout[0])
        os.kill(agent, signal.SIGTERM)
        nagios.await_state("WARNING", "tmux agents", "down: 1: fleet:shop:lead")
        for name in (
            "tmux exporter",
            "tmux cpu",
            "tmux open files",
            "tmux waiting agents",
            "tmux operations",
        ):
            nagios.await_state("OK", name, "")
        exporter.end()
        nagios.await_state("CRITICAL", "tmux exporter", "nothing listens on")
        nagios.await_state("UNKNOWN", memory, "nothing listens on")
    finally:
        os.kill(pid, signal.SIGCONT)
        nagios.process.terminate()
        nagios.process.wait(60)
        end_server(server)
