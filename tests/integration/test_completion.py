"""Tab in real shells, as they load the files that an installation has, and as `completion --help` says."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.processes.started import is_gone
from tests.support.wait import wait_for

SHARE = Path(__file__).parents[2] / "deploy" / "share"
ZSH = "autoload -U compinit; compinit -u -D; PS1='$ '"

INSTALLED = {
    "bash": f". {SHARE}/bash-completion/completions/{{program}}",
    "zsh": f"fpath=({SHARE}/zsh/site-functions $fpath); {ZSH}",
    "fish": f"set -p fish_complete_path {SHARE}/fish/vendor_completions.d",
}
SAID = {
    "bash": 'eval "$({program} completion bash)"',
    "zsh": f'{ZSH}; eval "$({{program}} completion zsh)"',
    "fish": "{program} completion fish | source",
}
SHELLS = {
    "bash": "bash --norc --noprofile -i",
    "zsh": "zsh -f -i",
    # Without its own questions to the terminal and the user's files.
    "fish": "fish --no-config -i",
}
LONG = [pytest.param(each, marks=pytest.mark.long) for each in ("zsh", "fish")]


class Terminal:
    """A shell in a pane of a tmux server of its own, with our programs in its PATH."""

    def __init__(self, socket: Path, shell: str, home: Path) -> None:
        self._tmux = ("tmux", "-f", "/dev/null", "-S", str(socket))
        programs = Path(sys.executable).parent
        environ = (
            f"env -u TMUX HOME={home} XDG_CONFIG_HOME={home} PATH={programs}:/usr/local/bin:/usr/bin:/bin"
        )
        self("new-session", "-d", "-x", "120", "-y", "30", "-c", str(home), f"{environ} {SHELLS[shell]}")

    def __call__(self, *words: str) -> str:
        return subprocess.run(
            (*self._tmux, *words), check=True, capture_output=True, text=True
        ).stdout.strip()

    def type(self, text: str) -> None:
        self("send-keys", "-l", "--", text)

    def screen(self) -> str:
        return self("capture-pane", "-p")

    def shows(self, text: str) -> None:
        try:
            wait_for(lambda: text in self.screen(), f"it shows {text!r}", 30)
        except AssertionError:
            raise AssertionError(f"no {text!r} in:\n{self.screen()}") from None


@pytest.fixture(params=["bash", *LONG])
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    assert shutil.which(name), f"deploy/setup check installs {name}"
    return name


@pytest.fixture
def terminal(shell: str, socket_dir: Path, tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(socket_dir / "completion", shell, tmp_path)
    try:
        yield made
    finally:
        pid = int(made("display-message", "-p", "#{pid}"))
        made("kill-server")
        wait_for(partial(is_gone, pid), "the server has ended")


STEPS = {
    # A command and a flag of it; a command below another one, and one of the words that a flag takes.
    "tmux-exporter": (
        "tmux-exporter expl|ain --js|on",
        "tmux-exporter export rul|es --engine prom|etheus-2.42",
    ),
    "tmux-remediator": ("tmux-remediator pol|icies", "tmux-remediator hold x 1h --ser|ver"),
}
"""Lines: what stands behind each `|`, up to the next blank, is not typed but completed."""


@pytest.mark.parametrize(
    "program", ["tmux-exporter", pytest.param("tmux-remediator", marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    "way", [INSTALLED, pytest.param(SAID, marks=pytest.mark.long)], ids=["files", "said"]
)
def test_tab_completes(terminal: Terminal, shell: str, way: dict[str, str], program: str) -> None:
    terminal.type(f"{way[shell].format(program=program)}; echo load''ed\n")
    terminal.shows("loaded")
    for line in STEPS[program]:
        done = ""
        for word in line.split():
            typed, bar, rest = word.partition("|")
            done = f"{done} {typed}{rest}".lstrip()
            # A shell adds the blank behind what it completes.
            terminal.type(f"{typed}\t" if bar else f"{typed} ")
            if bar:
                terminal.shows(done)
        terminal("send-keys", "C-u")
