"""Alerts about tmux servers.

`tmux_up` is 0 for a server that hangs or whose socket file is gone, for one that has ended, and for one that
refuses the exporter. Only a living one has `tmux_server_start_time_seconds`; one that refuses counts failed
queries that say so.
"""

from tmux_exporter.alerting.base.alert import Alert, grows, kept, rises
from tmux_exporter.alerting.base.scope import PERCENT, SERVER, SIZE, TIME
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.servers import FDS_OF_LIMIT, QUERY_MEAN

_SILENT = f"{kept('tmux_up{}')} == 0"
_LIVES = kept("tmux_server_start_time_seconds{}")

ALERTS = (
    Alert(
        "TmuxServerNotAnswering",
        "server_not_answering",
        f"{_SILENT}\nand {_LIVES}\n"
        """unless on (job, instance, server)
  increase(tmux_server_query_failures_total{reason=~"denied|untrusted"}[$refused_within]) > 0
        """,
        "A tmux server does not answer.",
        "The tmux server {{ $labels.server }} on {{ $labels.instance }} runs but does not "
        "answer: most likely nobody can attach, and no keys arrive, those of schedulers included.",
    ),
    Alert(
        "TmuxServerEnded",
        "server_ended",
        # Who goes home quits agents, or leaves them idle, and the server ends with its last session.
        "count without (session, agent, state) (\n"
        '  last_over_time(tmux_agent_state{state="working"}[$agents_within]) == 1\n)\n'
        f"and on (job, instance, server) ({_SILENT} unless {_LIVES})",
        "A tmux server ended while agents worked in it.",
        "The tmux server {{ $labels.server }} on {{ $labels.instance }} has ended, and with it "
        "all its sessions. Agents that worked there shortly before: {{ $value }}.",
    ),
    Alert(
        "TmuxServerSlow",
        "server_slow",
        f"{QUERY_MEAN}{{}} > $seconds",
        "A tmux server answers slowly.",
        f"The {SERVER} takes {TIME} to answer on average: so long every key waits.",
    ),
    Alert(
        "TmuxServerNearFdLimit",
        "fds",
        f"{kept(f'{FDS_OF_LIMIT}{{}}')} > $level",
        "A tmux server is near its limit of file descriptors.",
        f"The {SERVER} has {PERCENT} of the file descriptors open that it may have; at 100 % no pane can be "
        "opened and nobody can attach.",
        LEVELS,
    ),
    Alert(
        "TmuxHistoryFills",
        "history_fills",
        rises("tmux_server_history_bytes{}"),
        "The scroll-back of a tmux server grows fast.",
        f"The scroll-back of the {SERVER} has grown by {SIZE} within a quarter of an hour; the server "
        "takes several times as much.",
    ),
    Alert(
        "TmuxHistoryGrowing",
        "history_grows",
        grows("tmux_server_history_bytes", "server"),
        "The scroll-back of a tmux server grows without end.",
        f"The scroll-back of the {SERVER} has grown by {SIZE} within the last hour, in each quarter of it.",
    ),
)
