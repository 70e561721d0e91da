"""Alerts about leaks: processes that outlived the pane that started them."""

from tmux_exporter.alerting.base.alert import Alert, grows, kept
from tmux_exporter.alerting.base.scope import SERVER, SESSION_OR_GONE, SIZE, TIME
from tmux_exporter.alerting.recording.servers import LEAKED_MEMORY, LEAKED_PROCESSES

ALERTS = (
    Alert(
        "TmuxLeaksGrowing",
        "leaks_grow",
        grows(LEAKED_PROCESSES, "server"),
        "More and more processes outlive the panes that started them.",
        f"There are {{{{ $value }}}} more leaked processes of {SERVER} than an hour ago, and more in each "
        "quarter of the hour.",
    ),
    Alert(
        "TmuxLeakedMemory",
        "leaked_memory",
        f"{kept(f'{LEAKED_MEMORY}{{}}')} > $bytes",
        "Leaked processes hold much memory.",
        f"Processes that outlived their panes of {SERVER} hold {SIZE} of memory.",
    ),
    Alert(
        "TmuxLeakOld",
        "leak_old",
        f"time() - {kept('tmux_leaked_oldest_start_time_seconds{}')}\n> $seconds",
        "A leaked process has been there for long.",
        f"The oldest leaked process ({{{{ $labels.kind }}}}) of {SESSION_OR_GONE} is {TIME} old.",
    ),
)
