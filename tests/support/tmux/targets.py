"""Random targets put to real tmux and to the offline resolver, on random servers."""

import os
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.support.tmux.control import ControlClient, control_client, quoted
from tests.support.wait import wait_for
from tmux_exporter.analysis.schedulers.tmux_targets import TmuxTargetKind, resolve
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing
from tmux_exporter.sources.tmux.ask import Question, ask_all
from tmux_exporter.sources.tmux.parse_listing import ListingError, parse

SHOW_ID = 'printf %s "$TMUX_PANE"; exec sleep 3600'
"""What every pane runs, so that its first line tells which pane was reached."""

WORLDS = 20
TRIES = 20

SESSIONS = [
    "orc", "orc2", "orchestrator", "tmux-orc", "api", "api-v2", "agent1", "agent10", "agent1-new",
    "billing-v2", "my proj", "task-templates", "ünï", "2024", "2", "Frontend", "front",
]  # fmt: skip
WINDOWS = [
    "Claude-Agent", "Claude-Frontend", "Shell", "Dev-Server", "2.1.27", "2", "0", "node", "node:dev",
    "zsh", "zs", "Shell 2", "Überblick", "Project-Manager",
]  # fmt: skip
HOSTILE = [
    "@1", "%0", "$0", "$1x", "=", "=api", "*", "?", "!", "^", "~", "+", "-", "-x", "+1", "-a", "{last}",
    "{next}", "0", "x?", "a*", "[ab]", "back\\slash", "\\*", "'", '"', ";", "a;", " ", "  1", "tty1", "pts/0",
    "client-1", "e\u0301", "🦊", "a:b", "c.d", "$HOME", "a" * 300, "#", "%", "@", "1 ", "01",
]  # fmt: skip
RAW_WINDOWS = ["A\tB", "one\ntwo", "inv\udcffalid", "\udcc3", "\u00fc\udcff"]
TOKENS = [
    "{last}", "{next}", "{start}", "+", "-", "+1", "-1", "+0", "!", "^", "$", "*", "?", "=", "==", "~", "@",
    "%",
]  # fmt: skip


def _world(control: ControlClient, rng: random.Random, hostile: bool) -> None:
    """Replace all sessions but `main` by random ones; every pane prints its own id on its first line."""
    pool = SESSIONS + (HOSTILE if hostile else [])
    windows = WINDOWS + (HOSTILE + RAW_WINDOWS if hostile else [])
    program = quoted(SHOW_ID)
    # A busy tmux may give the window of `main` its name anew between the listing and the probes.
    control.run(["set-window-option -g automatic-rename off", "kill-session -a -t main:"])
    for name in rng.sample(pool, 9):
        window = quoted(rng.choice(windows))
        if not control.run([f"new-session -d -x 80 -y 24 -s {quoted(name)} -n {window} {program}"])[0].ok:
            continue
        # The newest session's id, because its name may be anything.
        ids = control.run(["list-sessions -F '#{session_id}'"])[0].text.split()
        session = max(ids, key=lambda text: int(text[1:]))
        for _ in range(rng.randrange(4)):
            index = rng.choice(["", str(rng.randrange(12))])
            name_option = f"-n {quoted(rng.choice(windows))}"
            control.run(
                [f"new-window {rng.choice(['', '-d'])} -t '{session}:{index}' {name_option} {program}"]
            )
        if rng.random() < 0.5:
            control.run([f"split-window -t '{session}:' {program}"])
        if rng.random() < 0.3:
            control.run([f"set-window-option -t '{session}:' pane-base-index 1"])
    ids = control.run(["list-sessions -F '#{session_id}'"])[0].text.split()
    first, second = rng.sample(ids, 2)
    control.run(
        [f"link-window -d -s '{first}:' -t '{second}:'", f"link-window -d -s '{first}:' -t '{first}:17'"]
    )
    control.run([f"new-session -d -t '{first}' -s grouped"])


def _target(rng: random.Random, listing: Listing) -> str:
    """Mostly a pane that is there, said in one of the ways tmux knows, each part sometimes bent."""
    link = rng.choice(listing.links)
    pane = rng.choice([pane for pane in listing.panes if pane.window_id == link.window_id])
    session = next(session for session in listing.sessions if session.id == link.session_id)
    window = next(window for window in listing.windows if window.id == link.window_id)

    def bent(text: str, foreign: list[str]) -> str:
        roll = rng.random()
        if roll < 0.2 and text:
            raw = text.encode("utf-8", "surrogateescape")
            text = raw[: rng.randrange(1, len(raw) + 1)].decode("utf-8", "surrogateescape")
        elif roll < 0.35 and text:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice("*?") + text[at + rng.randrange(3) :]
        elif roll < 0.4:
            text = rng.choice(foreign)
        elif roll < 0.43:
            text = rng.choice(TOKENS)
        return ("=" if rng.random() < 0.1 else "") + text

    shape = rng.random()
    if shape < 0.1:
        ways = [
            session.id, window.id, pane.id, session.name, window.name, f"%0{pane.id[1:]}", "%999",
            rng.choice(TOKENS),
        ]  # fmt: skip
        return rng.choice(ways)
    target = bent(rng.choice([session.name, session.name, session.id]), SESSIONS + HOSTILE) + ":"
    if shape < 0.85:
        ways = [window.name, window.name, window.id, str(link.index), f"0{link.index}", "9", "1"]
        target += bent(rng.choice(ways), WINDOWS + HOSTILE)
    if shape > 0.6:
        ways = [pane.id, str(pane.index), str(pane.index), "7", "%999", "top", "+", "+1", "-1", "0 "]
        target += "." + rng.choice(ways)
    return target


def _listing(socket: Path, pid: int) -> Listing:
    # A busy tmux may take too long over a format and cut it short; the exporter asks again as well.
    for _ in range(TRIES):
        answers = ask_all(
            [Question(socket=str(socket), version=None)],
            uid=os.getuid(), timeout=5.0, transport="socket", clock=SystemClock(),
        )  # fmt: skip
        with suppress(ListingError):
            return parse(answers[0], ProcessId(pid, 1))
    raise AssertionError(f"no whole listing in {TRIES} tries")


def _wait_for_ids(control: ControlClient, ids: list[str]) -> None:
    shown = [f"capture-pane -p -S 0 -E 0 -t {pane_id}" for pane_id in ids]
    wait_for(lambda: [_first_line(each.text) for each in control.run(shown)] == ids, "panes show their ids")


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def check_differential(tmux: str, socket: Path, pid: int, *, seed: int, probes: int) -> None:
    """Fail on any target that real tmux and the resolver see differently.

    The server has a session `main` whose pane runs SHOW_ID; all its other sessions are replaced.
    """
    kinds, wrong = _differential(tmux, socket, pid, seed, probes)
    assert not wrong, "\n".join(wrong)
    assert sum(kinds.values()) == probes
    # A resolver that refuses everything is never wrong; each kind must really have been compared.
    for kind in TmuxTargetKind:
        assert kinds[kind] >= 50, kinds


def _differential(
    tmux: str, socket: Path, pid: int, seed: int, probes: int
) -> tuple[Counter[str], list[str]]:
    """Put random targets to tmux and to the resolver: how often each kind came, and every contradiction.

    The oracle is capture-pane, which finds its target as send-keys does. It prints the first line of the pane
    that it found, and each pane shows its own id there.
    """
    rng = random.Random(seed)
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    with control_client(tmux, socket, "main") as control:
        for world in range(WORLDS):
            _world(control, rng, hostile=world % 2 == 1)
            listing = _listing(socket, pid)
            _wait_for_ids(control, [pane.id for pane in listing.panes])
            targets = [_target(rng, listing) for _ in range(probes // WORLDS - 1)] + [
                f"client-{control.pid}:"
            ]
            replies = control.run([f"capture-pane -p -S 0 -E 0 -t {quoted(target)}" for target in targets])
            for target, reply in zip(targets, replies, strict=True):
                resolution = resolve(target, listing)
                kinds[resolution.kind] += 1
                reached = _first_line(reply.text) if reply.ok else None
                if resolution.kind is not TmuxTargetKind.UNSUPPORTED and resolution.pane_id != reached:
                    wrong.append(f"{target!r}: tmux {reached or reply.text!r}, resolver {resolution}")
    return kinds, wrong
