"""Everything that a page tells its reader to type, typed; every transcript, compared with what is printed."""

import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.pages.markdown import REPOSITORY, Block, all_blocks
from tests.support.pages.page_scene import PageScene
from tests.support.pages.page_trials import Trial, is_listed, trial
from tests.support.processes.started import is_gone
from tests.support.wait import wait_for

ENDS_WITH = {
    "tmux-exporter leaks": {0, 1},
    "tmux-exporter schedulers": {0, 1},
    "tmux-exporter doctor": {0, 1},
    "tmux-exporter doctor --json": {0, 1},
}
"""The exit status of what tells by it what it found."""


REFUSED = 7
"""How curl ends where nobody listens."""


def typed(*, alone: bool) -> list[str]:
    """The commands of all pages in their order, those that want to be alone, or the others."""
    found = dict.fromkeys(
        command
        for block in all_blocks("sh")
        if trial(block) is Trial.SHELL
        for command in block.commands()
        if not is_listed(block.page, command)
    )
    return [command for command in found if (command.startswith(APPLY) or command in LASTING) == alone]


def transcripts(command: str) -> list[Block]:
    return [block for block in all_blocks("console") if block.first == f"$ {command}"]


def runs(scene: PageScene, command: str) -> str:
    """What is wrong with a command; nothing is the empty text."""
    answer = scene.run(filled(scene, command))
    wanted = ENDS_WITH.get(command.split(" | ", maxsplit=1)[0], {0})
    if answer.status not in wanted or "Traceback" in answer.errors:
        return f"ends with {answer.status}: {(answer.errors or answer.output).strip()[-400:]}"
    return ""


def filled(scene: PageScene, command: str) -> str:
    """A command with everything filled in that is left open."""
    words = {
        "FILE": str(scene.home / "exporter.yml"),
        "4711": str(scene.orphan),
        "policies.yml": str(scene.policies),
    }
    pattern = "|".join(rf"(?<![\w/]){re.escape(word)}(?!\w)" for word in words)
    return re.sub(pattern, lambda found: words[found[0]], command)


def names_its_pane(scene: PageScene, command: str) -> str:
    """The option of the page makes the agent's name."""
    (pane,) = (word for word in command.split() if word.startswith("%"))
    work = scene.tmux("list-panes", "-t", "work:lead", "-F", "#{pane_id}")
    if problem := runs(scene, command.replace(pane, work)):
        return problem
    agents = json.loads(scene.run("tmux-exporter once --format json").output)["agents"]
    return "" if [each["agent"] for each in agents] == ["backend"] else f"shows {agents}"


def measures_itself(scene: PageScene, command: str) -> str:
    """A script with this line is counted, whoever calls it."""
    (name,) = re.findall(r"tmux-exporter op (\w+)", command)
    script = "measured.sh"
    scene.write_script(script, f'{command}\necho "$1"')
    before = counted(scene, name)
    answer = scene.run(f"./{script} hello")
    if answer != (0, "hello\n", ""):
        return str(answer)
    wait_for(lambda: counted(scene, name) == before + 1, f"{command}: the call is counted once")
    return ""


def is_counted(scene: PageScene, command: str) -> str:
    (name,) = re.findall(r"tmux-exporter op (\w+)", command)
    before = counted(scene, name)
    if problem := runs(scene, command):
        return problem
    wait_for(lambda: counted(scene, name) > before, f"{command} is counted")
    return ""


def counted(scene: PageScene, name: str) -> float:
    page = scene.run("curl -s 'http://127.0.0.1:10077/metrics?fresh=1'").output
    found = re.search(
        rf'^tmux_operation_duration_seconds_count{{operation="{name}"}} (\S+)$', page, re.MULTILINE
    )
    return float(found[1]) if found else 0.0


def draws(scene: PageScene, command: str) -> str:
    with scene.running(command) as top:
        top.until(lambda text: "SESSION / AGENT" in text and "work" in text, "its table")
    return ""


def stays_kept(scene: PageScene, command: str) -> str:
    """What carries this variable is never called left behind."""
    scene.write_script("serve", f"echo $$ >{scene.base}/kept; exec sleep 3000")
    if problem := runs(scene, command):
        return problem
    pid = wait_for(lambda: scene.read("kept"), "it runs")
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    return "" if b"TMUX_EXPORTER_KEEP=1" in environ.split(b"\0") else "its environment lacks it"


APPLY = "tmux-remediator apply "
PLAN = "tmux-remediator plan --policy policies.yml --out ~/.local/state/tmux-exporter/remediator-plan.json"


def applies(scene: PageScene, command: str) -> str:
    """The plan of the page, made and applied: the orphan ends."""
    plan = scene.run(filled(scene, PLAN))
    found = re.search(r"--sha256 ([0-9a-f]{64})", plan.output + plan.errors)
    if not found:
        return f"no plan: {plan}"
    answer = scene.run(filled(scene, command).replace("HASH", found[1]))
    if answer.status:
        return str(answer)
    wait_for(lambda: is_gone(scene.orphan), "the orphan is gone")
    return ""


SPECIAL: dict[str, Callable[[PageScene, str], str]] = {
    "tmux set-option -p -t %3 @agent": names_its_pane,
    '[ "$OP_OF"': measures_itself,
    "tmux-exporter op ": is_counted,
    "tmux-exporter top": draws,
    "tmux-exporter top --": runs,
    APPLY: applies,
    "TMUX_EXPORTER_KEEP=1": stays_kept,
}
"""What is tried in another way than by its exit status, by how it begins; the longest name wins."""


def tried(scene: PageScene, command: str) -> str:
    """What is wrong with a command; nothing is the empty text."""
    try:
        if command in LASTING:
            return lasts(scene, command)
        begins = [begin for begin in SPECIAL if command.startswith(begin)]
        return SPECIAL[max(begins, key=len)](scene, command) if begins else runs(scene, command)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return str(error)


BROKEN = (
    "tmux-exporter explain %99",
    "tmux-exporter op recovery --retry 3 -- ./no-such-script.sh",
    "tmux-remediator audit --pid pid",
    "sudo cp deploy/grafana/dashboard/tmux-exporter.yml /etc/grafana/provisioning/dashboards/",
    "curl -s http://127.0.0.1:10077/metric | grep tmux_",
)
"""What must not pass for well done."""


def shape(line: str) -> str:
    """A line without what differs from machine to machine: figures, units, paths, plurals, what follows."""
    if "http" in line:
        line = re.sub(r"https?://\S+", "http", line)
    else:
        line = re.split(r"[,:(]", re.sub(r"(?<=\s)/\S+", "/", line))[0]
    line = re.sub(r"\d+(\.\d+)*\s*([KMGT]i?B?\b|B\b|%)?", "0", line)
    return " ".join(re.sub(r"(?<=\w\w\w)s\b", "", line).split())


def transcript_problems(block: Block, printed: str) -> list[str]:
    """The lines of a transcript of which nothing like them is printed; rows of tables may differ."""
    shown = {shape(line) for line in printed.splitlines()}
    problems, in_table = [], False
    for line in block.text.splitlines()[1:]:
        is_head = len(re.findall(r"\b[A-Z]{3,}\b", line)) >= 3 and not re.search("[a-z]{3}", line)
        in_table = is_head or (in_table and bool(line.strip()))
        if line.strip() in ("", "…") or (in_table and not is_head):
            continue
        if shape(line) not in shown:
            problems.append(f"{block}: nothing like this is printed: {line.strip()}")
    return problems


def make_up(scene: PageScene, problems: list[str]) -> None:
    """Everything that is typed while `make up` runs, or needs nothing that runs."""
    with scene.running("make up") as up:
        up.until(lambda text: "Prometheus is ready." in text and "Seen:" in text, "the welcome", 300)
        for block in transcripts("make up"):
            problems += transcript_problems(block, up.text)
        for command in ("tmux-exporter leaks", "tmux-exporter schedulers", "tmux-exporter top"):
            for block in transcripts(command):
                # Which columns a table has is a matter of room: those of a page are for the usual 80 columns.
                problems += transcript_problems(block, scene.run(f"COLUMNS=80 {command}").output)
        typed_now = typed(alone=False)
        problems += [f"{command}: {problem}" for command in typed_now if (problem := tried(scene, command))]
        problems += [f"{command}: is not found out" for command in BROKEN if not tried(scene, command)]


def is_printed(line: str, text: str) -> bool:
    return line in map(shape, text.splitlines())


def lasts(scene: PageScene, command: str) -> str:
    with scene.running(command) as running:
        running.until(lambda text: LASTING[command] in text, LASTING[command])
    return ""


LASTING: dict[str, str] = {
    "make up": "Seen:",
    "tmux-exporter serve": "listening on http://127.0.0.1:10077/",
    "tmux-remediator run": "observ",
    "tmux-remediator run --enforce": "enforc",
    "tmux-remediator run --enforce --server default": "enforc",
}
"""What goes on until Ctrl-C and wants the ports or the lock for itself: what it says once it runs."""


def try_all(base: Path) -> None:
    scene = PageScene(base)
    problems: list[str] = []
    make_up(scene, problems)
    # `make up` has just run.
    alone = (command for command in typed(alone=True) if command != "make up")
    problems += [f"{command}: {problem}" for command in alone if (problem := tried(scene, command))]
    with scene.running("make up SERVERS=no") as up:
        up.until(lambda text: "Seen:" in text, "the welcome")
        if (
            scene.run("curl -s http://127.0.0.1:9090/-/ready || curl -s http://127.0.0.1:9093/-/ready").status
            == 0
        ):
            problems.append("make up SERVERS=no starts a server")
    with scene.running("make up ARGS=--demo") as up:
        for block in transcripts("make up ARGS=--demo"):
            last = shape(block.text.splitlines()[-1])
            up.until(partial(is_printed, last), last, 240)
            problems += transcript_problems(block, up.text)
    assert not problems, "\n\n".join(problems)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_everything_that_a_page_tells_to_type_works(socket_dir: Path) -> None:
    base = socket_dir.parent / "p"
    base.mkdir(mode=0o700)
    # Inside there is no network: `make up` must find its environment made, as `make test` leaves it.
    subprocess.run(("deploy/setup", "test"), cwd=REPOSITORY, check=True)
    before = set(REPOSITORY.glob("[!.]*"))
    assert in_namespace(lambda: try_all(base)), "the kernel gives no namespace"
    assert set(REPOSITORY.glob("[!.]*")) == before, "nothing is left in the checkout"


def test_what_stands_alone_is_still_on_a_page() -> None:
    everything = {command for block in all_blocks("sh") for command in block.commands()}
    assert set(LASTING) <= everything
    assert [begin for begin in SPECIAL if not any(each.startswith(begin) for each in everything)] == []
    assert {*ENDS_WITH} <= {each.split(" | ")[0] for each in everything}


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("  3 leaked, 11.9 MiB", "  1 leaked, 740 KiB"),
        ("Seen: 2 tmux servers, 5 sessions", "  Seen: 1 tmux server, 1 session"),
        ("  live page      http://127.0.0.1:10077/", "  live page    http://127.0.0.1:23/"),
        ("  data and logs  /home/me/.local/state", "  data and logs  /tmp/x"),
        ("  STATE  DUE  TARGET", "  STATE      DUE    TARGET"),
    ],
)
def test_a_transcript_is_compared_by_its_shape(line: str, printed: str) -> None:
    block = Block(page=Path("docs/new.md"), line=1, language="console", text=f"$ x\n{line}")
    assert transcript_problems(block, printed) == []
    assert transcript_problems(block, printed.translate(str.maketrans("aeT", "oiO"))) != []
