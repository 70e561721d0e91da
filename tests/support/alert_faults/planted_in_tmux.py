"""Faults of tmux servers, of schedulers, and of what outlived its pane."""

from tests.support.alert_faults.planted import ALL, Planted, server
from tests.support.remediator.remediation import FLEET

IN_TMUX: tuple[Planted, ...] = (
    Planted(alert="TmuxServerNotAnswering", fault="a tmux server stopped", labels=server("hung")),
    Planted(
        alert="TmuxServerEnded", fault="a tmux server killed with an agent in it", labels=server("ended")
    ),
    Planted(
        alert="TmuxServerSlow",
        fault="a tmux server stopped for 1.2 s again and again",
        labels=server("slow"),
    ),
    Planted(
        alert="TmuxServerNearFdLimit",
        fault="panes opened, and the limit of the server set to one more than it has open",
        labels=server("crowded"),
        levels=ALL,
        ends=False,
    ),
    Planted(
        alert="TmuxHistoryGrowing",
        fault="a pane that is written full without end",
        labels=server("wordy"),
        number="1 MiB in each window: a quarter of a gigabyte would be the machine's",
        ends=False,
    ),
    Planted(
        alert="TmuxLeaksGrowing",
        fault="a process left behind by a pane each three seconds",
        labels=server("leaky"),
    ),
    Planted(
        alert="TmuxLeakedMemory",
        fault="a process left behind that holds 64 MiB",
        labels=server("leaky"),
        number="32 MiB: a gigabyte would be the machine's",
        ends=False,
    ),
    Planted(
        alert="TmuxLeakOld",
        fault="a process left behind",
        labels=server("leaky"),
        number="10 s: a day is one",
        ends=False,
    ),
    Planted(
        alert="TmuxSchedulerDangling", fault="a scheduler for no session", labels=server(FLEET), ends=False
    ),
    Planted(
        alert="TmuxSchedulerMisdirected",
        fault="a scheduler for `wor:0`, where only `work` is",
        labels=server(FLEET),
        ends=False,
    ),
    Planted(
        alert="TmuxSchedulerStaleGeneration",
        fault="a tmux server killed and started again on the same socket",
        labels=server("again"),
        ends=False,
    ),
    Planted(
        alert="TmuxSchedulerServerless",
        fault="a tmux server killed that a scheduler waits for",
        labels=server("ended"),
        ends=False,
    ),
    Planted(alert="TmuxSchedulerImmortal", fault="`sleep infinity`", labels=server(FLEET), ends=False),
    Planted(
        alert="TmuxSchedulerOverdue",
        fault="the sleep of a scheduler stopped",
        labels=server(FLEET),
        ends=False,
    ),
    Planted(
        alert="TmuxSchedulerDuplicate",
        fault="the same scheduler made twice",
        labels=server(FLEET),
        ends=False,
    ),
    Planted(
        alert="TmuxSchedulerMissed",
        fault="a scheduler for no session, and its time comes",
        labels=server(FLEET),
    ),
)
