"""The shipped policies with times and thresholds of a test, and what each of them is for."""

import re

from tests.support.remediator.policies import SHIPPED
from tests.support.remediator.remediation import CHECK_IN, OTHER, Fleet
from tests.support.remediator.stage import CALM_AGENT, DEAF_ORPHAN

FASTER = 2000
"""By so much every wait for people is divided."""

THRESHOLDS = {
    "above: 4GiB, clear_below: 3.5GiB": "above: 48MiB, clear_below: 40MiB",
    "history_bytes: 64MiB": "history_bytes: 64KiB",
    "above: 512MiB, clear_below: 384MiB": "above: 2MiB, clear_below: 1MiB",
    "rate_over: 30m": "rate_over: 10s",
    "rate_over: 5m": "rate_over: 10s",
    # On a machine in use it gets only a part of its core.
    "above: 54s/min, clear_below: 18s/min": "above: 600ms/min, clear_below: 300ms/min",
}

_WAITS = re.compile(r"\b(for|after|warmup|cooldown|grace|gone_within): (\d+)(s|m|h)\b")
_MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_LEAST = {"grace": 300, "gone_within": 1_000, "cooldown": 300_000}
"""Milliseconds: what a machine needs however quick people are, and what keeps two tries apart."""


def quickened() -> str:
    """The shipped file: nothing but its times and thresholds differs."""
    text = SHIPPED.read_text()
    for shipped, quick in THRESHOLDS.items():
        assert text.count(shipped) == 1, f"{SHIPPED.name} has no such threshold any more: {shipped}"
        text = text.replace(shipped, quick)
    return _WAITS.sub(_quick, text)


def _quick(found: re.Match[str]) -> str:
    key, number, unit = found.groups()
    quick = int(number) * _MILLISECONDS[unit] // FASTER
    return f"{key}: {max(quick, _LEAST.get(key, 0))}ms"


BIG = "$B/bin/claude -c '{deaf}x=$(head -c 60000000 /dev/zero | tr \"\\0\" x); sleep 20000; sleep 20000'"
OPENS_MORE = "while :; do exec {n}</dev/null || sleep 20000; [ $n -gt 50 ] && sleep 2; done\n"
KEEPS_BUSY = "while :; do for i in {1..20000}; do :; done; sleep 0.2; done\n"
LEAKING = "ulimit -n 64; $B/bin/claude $B/leaking.sh"
BUSY = "$B/bin/claude $B/busy.sh"
DOUBLE = "nohup bash -c 'sleep 20000; tmux send-keys -t work:0 again Enter'"


def plant(fleet: Fleet) -> dict[str, int]:
    """What every policy is for, and an agent that none is for; the pids by what they are."""
    (fleet.scene.base / "leaking.sh").write_text(OPENS_MORE)
    (fleet.scene.base / "busy.sh").write_text(KEEPS_BUSY)
    fleet.tmux("new-session", "-d", "-s", "long", "seq 1 20000; exec sleep 3600")
    lost = fleet.schedule(f'nohup bash -c "{CHECK_IN.format(target="far:0")}"', "lost", server=OTHER)
    fleet.sleep_of(lost)
    pids = {
        "orphan": fleet.orphan()[0],
        "deaf_orphan": fleet.schedule(DEAF_ORPHAN.format(target="gone:0"), "deaf_orphan"),
        "lost": lost,
        "double": fleet.schedule(DOUBLE, "double"),
        "misdirected": fleet.schedule("bash -c 'sleep 20000 && tmux send-keys -t wor:0 hi'", "misdirected"),
        "big": fleet.schedule(BIG.format(deaf=""), "big"),
        "deaf_big": fleet.schedule(BIG.format(deaf='trap "" TERM; '), "deaf_big"),
        "leaking": fleet.schedule(LEAKING, "leaking"),
        "busy": fleet.scene.pid(fleet.leave_behind(BUSY)),
        "small": fleet.schedule(CALM_AGENT, "small"),
    }
    for name in ("big", "deaf_big", "double"):
        fleet.sleep_of(pids[name])
    fleet.schedule(DOUBLE, "newer")
    # A server that has ended, and its socket with it.
    fleet.tmux("kill-server", server=OTHER)
    return pids
