"""What the cases of several subjects have in common."""

LEVELS = (("emergency", "P1", "1m"), ("critical", "P2", "5m"), ("warning", "P3", "15m"))
SERVER = 'server="d"'
SESSION = f'{SERVER}, session="s"'
AGENT = f'{SESSION}, agent="x"'
OF = {
    "server": {"server": "d"},
    "session": {"server": "d", "session": "s"},
    "agent": {"server": "d", "session": "s", "agent": "x"},
}
SET = {"server": SERVER, "session": SESSION, "agent": AGENT}
WHO = {
    "server": "The tmux server d on a:1",
    "session": "Session s of tmux server d on a:1",
    "agent": "Agent x in session s of tmux server d on a:1",
}
# A rate over five minutes is wholly bad once the last good increase has left the window.
RATE = "4m45s"


def percent(ratio: float) -> str:
    """A part of one as the descriptions write it."""
    return f"{ratio * 100:.4g}%"
