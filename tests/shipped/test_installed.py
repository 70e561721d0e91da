"""Every command, as users have it: a wheel in an empty environment, an ordinary user, an empty home.

What a command needs that is not in the wheel or among its dependencies, what it expects of a checkout, and
what only root may do, shows here. Whether each command does its work well is shown elsewhere.
"""

import json
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.alerts.files import run
from tests.support.pages.known_names import GROUPS, names_of
from tests.support.processes.started import is_gone
from tests.support.programs.demo import belongings
from tests.support.programs.installed import Installed, ended, installation
from tests.support.programs.units import verified
from tests.support.programs.up import Up, get
from tests.support.remediator.policies import HEAD, ORPHANS
from tests.support.wait import wait_for

COMMANDS = [f"{program} {name}" for program, group in GROUPS.items() for name in names_of(group)]
Case = Callable[["Fleet"], None]
CASES: dict[str, Case] = {}
WAIT = 60.0


class Fleet:
    """A user's tmux server with an agent and a scheduler without a target; `pid` is the scheduler's shell."""

    def __init__(self, installed: Installed) -> None:
        self.user = installed
        orphan = "nohup bash -c 'sleep 20000 && tmux send-keys -t gone:0 hi Enter' >/dev/null 2>&1 &"
        note = installed.home / "orphan"
        pane = f"{orphan} echo $! >{note}.new; mv {note}.new {note}; exec sleep 20000"
        self.ok("tmux", "-f", "/dev/null", "new-session", "-d", "-s", "work", "-x", "120", "-y", "30", pane)
        self.ok("tmux", "set-option", "-p", "-t", "work:0.0", "@agent", "lead")
        wait_for(note.exists, "it is scheduled")
        self.pid = note.read_text().strip()
        self.policies = installed.home / "mine.yml"
        self.policies.write_text(f"{HEAD}defaults: {{mode: recommend, warmup: 0s}}\n{ORPHANS}")
        self.policies.chmod(0o644)

    def ok(self, *words: str, status: int = 0) -> str:
        """What a command prints that does what it should."""
        done = self.user.run(*words)
        assert done.returncode == status, done
        assert "Traceback" not in done.stderr, done
        return done.stdout

    def exporter(self, *words: str, status: int = 0) -> str:
        return self.ok("tmux-exporter", *words, status=status)

    def remediator(self, *words: str, status: int = 0) -> str:
        return self.ok("tmux-remediator", *words, status=status)

    def export(self, kind: str, *words: str) -> Path:
        """The folder into which a kind is exported."""
        told = self.exporter("export", kind, "--out", f"out/{kind}", *words).splitlines()
        folder = self.user.home / "out" / kind
        assert len(told) == sum(path.is_file() for path in folder.rglob("*")) > 0
        return folder


def case(name: str) -> Callable[[Case], Case]:
    def keep(made: Case) -> Case:
        CASES[name] = made
        return made

    return keep


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    with installation() as made:
        yield made


def test_every_command_has_a_case() -> None:
    assert sorted(CASES) == sorted(COMMANDS)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_command_runs_once(installed: Installed) -> None:
    assert installed.run("id", "-u").stdout.strip() != "0"
    fleet = Fleet(installed)
    failed = {}
    # What others look at is ended last.
    for command in sorted(COMMANDS, key=lambda command: command.endswith(" apply")):
        try:
            assert "Example:" in fleet.ok(*command.split(), "--help")
            CASES[command](fleet)
        except Exception:
            failed[command] = traceback.format_exc()
    assert not failed, "\n".join(f"{command}: {words}" for command, words in failed.items())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_demo_runs_until_its_alert_fires(installed: Installed) -> None:
    home = installed.home / "demo"
    python = (*installed.prefix, str(installed.bin / "python"))
    made = installed.run("mkdir", "-m", "700", "demo", "demo/run")
    assert made.returncode == 0, made
    environ = installed.environ | {"TMUX_TMPDIR": str(home)}
    up = Up(home, home / "run", "--demo", python=python, environ=environ)
    try:
        told = r"The alert TmuxSchedulerDangling fires: (http://\S+)$"
        wait_for(
            lambda: up.process.poll() is not None or re.search(told, up.text(), re.MULTILINE),
            "the alert fires",
            150,
        )
        found = re.search(told, up.text(), re.MULTILINE)
        assert found and "TmuxSchedulerDangling" in get(found[1]), up.text()
        assert "ended with status" not in up.text()
        assert ended(up.process, signal.SIGINT) == 0, up.text()
        folder = home / "run" / "tmux-exporter" / "demo"
        wait_for(lambda: not belongings(folder) and not folder.exists(), "nothing is left")
    finally:
        up.end()


@case("tmux-exporter serve")
def _serve(fleet: Fleet) -> None:
    log = fleet.user.home / "serve.log"
    serving = fleet.user.start(log, "tmux-exporter", "serve", "--web.listen-address", "127.0.0.1:0")
    try:
        url = wait_for(lambda: re.search(r"listening on (http://\S+/)", log.read_text()), "it listens")[1]
        wait_for(lambda: 'session="work"' in get(f"{url}metrics?fresh=1"), "the session is seen", WAIT)
        assert "<title>" in get(url)
    finally:
        assert ended(serving, signal.SIGTERM) == 0, log.read_text()


@case("tmux-exporter up")
def _up(fleet: Fleet) -> None:
    user = fleet.user
    python = (*user.prefix, str(user.bin / "python"))
    up = Up(user.home, user.runtime, python=python, environ=user.environ)
    try:
        page = up.url("live page")
        wait_for(lambda: "Prometheus is ready." in up.text(), "Prometheus is ready", WAIT)
        wait_for(lambda: "tmux_remediator_up 1.0" in get(f"{page}metrics?fresh=1"), "it observes", WAIT)
        assert ended(up.process, signal.SIGINT) == 0, up.text()
    finally:
        up.end()


@case("tmux-exporter silence")
def _silence(fleet: Fleet) -> None:
    nobody = ("silence", "work", "1h", "--alertmanager", "http://127.0.0.1:1")
    assert fleet.exporter(*nobody, status=3) == ""


@case("tmux-exporter web-config")
def _web_config(fleet: Fleet) -> None:
    file = fleet.user.home / "tls.yml"
    file.write_text(fleet.exporter("web-config", "self-signed", "--host", "localhost"))
    file.chmod(0o644)
    assert fleet.exporter("web-config", "check", "tls.yml") == "TLS; no client certificates; no users\n"


@case("tmux-exporter web-config hash")
def _hash(fleet: Fleet) -> None:
    # The library for it is an extra; exit code 3 names it.
    assert fleet.exporter("web-config", "hash", status=3) == ""


@case("tmux-exporter web-config self-signed")
def _self_signed(fleet: Fleet) -> None:
    folder = fleet.user.home / "pair"
    folder.mkdir()
    folder.chmod(0o777)
    made = fleet.exporter("web-config", "self-signed", "--host", "localhost", "--out", str(folder))
    assert f"cert_file: {folder}/cert.pem" in made
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600


@case("tmux-exporter web-config check")
def _check_web_config(fleet: Fleet) -> None:
    fleet.user.home.joinpath("web.yml").write_text("rate_limit: {interval: 1s, burst: 5}\n")
    assert fleet.exporter("web-config", "check", "web.yml") == "no TLS; no client certificates; no users\n"


@case("tmux-exporter once")
def _once(fleet: Fleet) -> None:
    assert 'session="work"' in fleet.exporter("once")
    assert json.loads(fleet.exporter("once", "--format", "json"))["sessions"]


@case("tmux-exporter check-config")
def _check_config(fleet: Fleet) -> None:
    file = fleet.user.home / "exporter.yml"
    file.write_text("sampling: {interval: 10s}\n")
    file.chmod(0o644)
    assert fleet.exporter("check-config", str(file)).endswith("fine\n")


@case("tmux-exporter explain")
def _explain(fleet: Fleet) -> None:
    assert "lead" in fleet.exporter("explain", "%0")


@case("tmux-exporter schedulers")
def _schedulers(fleet: Fleet) -> None:
    assert f" {fleet.pid} " in fleet.exporter("schedulers", status=1)


@case("tmux-exporter leaks")
def _leaks(fleet: Fleet) -> None:
    leaks = json.loads(fleet.exporter("leaks", "--json", status=1))["leaks"]
    assert fleet.pid in {str(each["pid"]) for each in leaks}


@case("tmux-exporter top")
def _top(fleet: Fleet) -> None:
    assert "lead" in fleet.exporter("top", "--once")
    server = ("tmux", "-f", "/dev/null", "-S", str(fleet.user.home / "viewer"))
    log = fleet.user.home / "top.log"
    command = f"tmux-exporter top 2>{log}; echo ended with $?; exec sleep 20000"
    fleet.ok(*server, "new-session", "-d", "-s", "view", "-x", "120", "-y", "30", command)

    def shown() -> str:
        return fleet.ok(*server, "capture-pane", "-p", "-t", "view:0")

    try:
        wait_for(lambda: "  lead" in shown() and "q quit" in shown(), "it shows the fleet", WAIT)
        fleet.ok(*server, "send-keys", "-t", "view:0", "q")
        wait_for(lambda: "ended with 0" in shown(), "q ends it", WAIT)
        assert log.read_text() == ""
    finally:
        fleet.ok(*server, "kill-server")


@case("tmux-exporter doctor")
def _doctor(fleet: Fleet) -> None:
    done = fleet.user.run("tmux-exporter", "doctor", "--json")
    assert done.returncode in (0, 1) and done.stderr == "", done
    mends = [each["mend"] for each in json.loads(done.stdout)["findings"] if each["mend"]]
    assert mends
    of_a_checkout = re.compile(r"(?<![\w/.-])(?:alerts|dashboards|deploy|docs|examples)/")
    assert [mend for mend in mends if of_a_checkout.search(mend)] == []
    assert f'"{fleet.user.bin}/tmux-exporter hook' in fleet.exporter("doctor", "--hooks")


@case("tmux-exporter op")
def _op(fleet: Fleet) -> None:
    assert fleet.exporter("op", "recovery", "--", "echo", "done") == "done\n"
    fleet.exporter("op", "recovery", "--", "sh", "-c", "exit 7", status=7)


@case("tmux-exporter hook")
def _hook(fleet: Fleet) -> None:
    agent = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    command = ("tmux-exporter", "hook", "waiting", "permission")
    fleet.ok(str(fleet.user.bin / "python"), "-c", agent, *command)
    assert [
        path
        for path in fleet.user.runtime.rglob("*")
        if path.is_file() and "waiting permission" in path.read_text()
    ]


@case("tmux-exporter statusline")
def _statusline(fleet: Fleet) -> None:
    assert fleet.exporter("statusline", "--", "echo", "mine") == "mine\n"


@case("tmux-exporter hooks")
def _hooks(fleet: Fleet) -> None:
    assert "install" in fleet.user.run("tmux-exporter", "hooks").stderr


@case("tmux-exporter hooks install")
def _hooks_install(fleet: Fleet) -> None:
    fleet.ok("mkdir", "-p", str(fleet.user.home / ".claude"))
    fleet.exporter("hooks", "install", "claude", "--yes")
    settings = json.loads((fleet.user.home / ".claude" / "settings.json").read_text())
    assert f"{fleet.user.bin}/tmux-exporter hook" in json.dumps(settings["hooks"])


@case("tmux-exporter hooks status")
def _hooks_status(fleet: Fleet) -> None:
    assert "claude" in fleet.exporter("hooks", "status")


@case("tmux-exporter hooks remove")
def _hooks_remove(fleet: Fleet) -> None:
    fleet.ok("mkdir", "-p", str(fleet.user.home / ".claude"))
    fleet.exporter("hooks", "install", "claude", "--yes")
    fleet.exporter("hooks", "remove", "claude", "--yes")
    settings = fleet.user.home / ".claude" / "settings.json"
    assert not settings.exists() or "tmux-exporter" not in settings.read_text()


@case("tmux-exporter usage")
def _usage(fleet: Fleet) -> None:
    assert "writes no file that is surely its own" in fleet.exporter("usage")
    (row,) = json.loads(fleet.exporter("usage", "--json"))["rows"]
    assert (row["agent"], row["cost_dollars"], row["whole"]) == ("lead", None, False)
    assert "none of your agents' files" in fleet.exporter("usage", "--by", "day")


@case("tmux-exporter completion")
def _completion(fleet: Fleet) -> None:
    share = fleet.user.bin.parent / "share"
    assert (share / "man" / "man1" / "tmux-exporter.1").is_file()
    script = "source $1; COMP_WORDS=(tmux-exporter lea) COMP_CWORD=1; _tmux_exporter_completion $COMP_WORDS"
    loaded = str(share / "bash-completion" / "completions" / "tmux-exporter")
    assert fleet.ok("bash", "-c", f"{script}; echo $COMPREPLY", "bash", loaded) == "leaks\n"


@case("tmux-remediator completion")
def _remediator_completion(fleet: Fleet) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_TMUX_REMEDIATOR_COMPLETE=" in fleet.remediator("completion", shell)


@case("tmux-exporter agents")
def _agents(fleet: Fleet) -> None:
    assert "claude" in fleet.exporter("agents")
    assert len(json.loads(fleet.exporter("agents", "--json"))["programs"]) >= 20


@case("tmux-exporter export")
def _export(fleet: Fleet) -> None:
    assert "runbooks" in fleet.user.run("tmux-exporter", "export").stderr


@case("tmux-exporter export rules")
def _rules(fleet: Fleet) -> None:
    folder = fleet.export("rules", "--job", "agents", "--label", "team=platform")
    status, said = run("promtool", "check", "rules", *sorted(folder.glob("*ing/*.yml")))
    assert status == 0, said


@case("tmux-exporter export alertmanager")
def _alertmanager(fleet: Fleet) -> None:
    folder = fleet.export("alertmanager", "--board-url", "https://grafana.example.org")
    for name in ("alertmanager.yml", "receivers.example.yml"):
        status, said = run("amtool", "check-config", folder / name)
        assert status == 0, said


@case("tmux-exporter export boards")
def _boards(fleet: Fleet) -> None:
    boards = [json.loads(path.read_text()) for path in fleet.export("boards").glob("*.json")]
    assert "tmux-fleet" in {board["uid"] for board in boards}


@case("tmux-exporter export units")
def _units(fleet: Fleet) -> None:
    for path in fleet.export("units").iterdir():
        assert verified(path, fleet.user.home) == []
        assert f"ExecStart={fleet.user.bin}/tmux-" in path.read_text()


@case("tmux-exporter export nagios")
def _nagios(fleet: Fleet) -> None:
    folder = fleet.export("nagios")
    assert f" {fleet.user.bin}/tmux-exporter check " in (folder / "commands.cfg").read_text()


@case("tmux-exporter export zabbix")
def _zabbix(fleet: Fleet) -> None:
    for path in fleet.export("zabbix").iterdir():
        exported = json.loads(path.read_text())["zabbix_export"]
        assert path.stem.endswith(exported["version"]) and len(exported["templates"]) == 1


@case("tmux-exporter run")
def _run_command(fleet: Fleet) -> None:
    data = fleet.user.home / "cost.json"
    assert fleet.exporter("run", "--json", str(data), "--max-cpu", "1m", "--", "echo", "done") == "done\n"
    assert json.loads(data.read_text())["exit_code"] == 0
    fleet.exporter("run", "--", "sh", "-c", "exit 7", status=7)


@case("tmux-exporter check")
def _check(fleet: Fleet) -> None:
    assert "TMUX SCHEDULERS WARNING - trouble: " in fleet.exporter(
        "check", "schedulers", "-t", "60", status=1
    )
    assert "UNKNOWN" in fleet.exporter("check", "operations", "--exporter", "127.0.0.1:1", status=3)


@case("tmux-exporter export policies")
def _policies(fleet: Fleet) -> None:
    fleet.remediator("check-config", str(fleet.export("policies") / "policies.yml"))


@case("tmux-exporter export tuning")
def _tuning(fleet: Fleet) -> None:
    fleet.ok("tmux", "source-file", str(fleet.export("tuning") / "tmux.conf"))


@case("tmux-exporter export runbooks")
def _runbooks(fleet: Fleet) -> None:
    assert (fleet.export("runbooks") / "TmuxExporterDown.md").exists()


@case("tmux-remediator run")
def _run(fleet: Fleet) -> None:
    log = fleet.user.home / "run.log"
    status = fleet.user.runtime / "tmux-exporter" / "remediator.json"
    watching = fleet.user.start(log, "tmux-remediator", "run", "--interval", "500ms")
    try:
        wait_for(status.exists, "it tells of itself", WAIT)
        first = status.stat().st_mtime_ns
        wait_for(lambda: status.stat().st_mtime_ns != first, "it looks again", WAIT)
    finally:
        assert ended(watching, signal.SIGTERM) == 0, log.read_text()
    assert not is_gone(int(fleet.pid)), "it only observes"


@case("tmux-remediator audit")
def _audit(fleet: Fleet) -> None:
    fleet.remediator("audit", "--verify")


@case("tmux-remediator check-config")
def _check_policies(fleet: Fleet) -> None:
    assert "orphans" in fleet.remediator("check-config", str(fleet.policies))


def _planned(fleet: Fleet) -> str:
    """The hash of a plan that ends the lost scheduler."""
    look = ("--policy", str(fleet.policies), "--interval", "500ms")
    done = fleet.user.run("tmux-remediator", "plan", *look, "--out", "plan.json")
    assert done.returncode == 1 and fleet.pid in done.stdout, done
    found = re.search(r"--sha256 (\w+)", done.stderr)
    assert found, done
    return found[1]


@case("tmux-remediator plan")
def _plan(fleet: Fleet) -> None:
    assert _planned(fleet)


@case("tmux-remediator explain")
def _why(fleet: Fleet) -> None:
    look = ("--policy", str(fleet.policies), "--interval", "500ms")
    assert "orphans" in fleet.remediator("explain", fleet.pid, *look)


@case("tmux-remediator policies")
def _ready_policies(fleet: Fleet) -> None:
    assert "orphaned-schedulers" in fleet.remediator("policies")
    assert "match:" in fleet.remediator("policies", "orphaned-schedulers")


@case("tmux-remediator hold")
def _hold(fleet: Fleet) -> None:
    assert "held for 1h" in fleet.remediator("hold", "session:other", "1h")


@case("tmux-remediator holds")
def _holds(fleet: Fleet) -> None:
    fleet.remediator("hold", "session:held", "1h")
    assert "held" in fleet.remediator("holds")
    fleet.remediator("release", "session:held")


@case("tmux-remediator release")
def _release(fleet: Fleet) -> None:
    fleet.remediator("hold", "session:work", "1h")
    assert "no longer held" in fleet.remediator("release", "session:work")


@case("tmux-remediator changes")
def _changes(fleet: Fleet) -> None:
    assert "nothing that was changed" in fleet.remediator("changes")


@case("tmux-remediator off")
def _off(fleet: Fleet) -> None:
    state = fleet.user.home / ".local" / "state" / "tmux-exporter"
    fleet.remediator("off")
    assert (state / "remediator.off").exists()
    fleet.remediator("on")


@case("tmux-remediator on")
def _on(fleet: Fleet) -> None:
    fleet.remediator("off")
    fleet.remediator("on")
    state = fleet.user.home / ".local" / "state" / "tmux-exporter"
    assert state.is_dir() and not (state / "remediator.off").exists()


@case("tmux-remediator apply")
def _apply(fleet: Fleet) -> None:
    words = fleet.remediator(
        "apply", "plan.json", "--sha256", _planned(fleet), "--policy", str(fleet.policies)
    )
    assert "done" in words
    wait_for(lambda: is_gone(int(fleet.pid)), "the lost scheduler is ended")
