"""Faults of tmux servers, of schedulers, and of what outlived its pane."""

from tests.support.alert_faults.planted import ALL, Planted, server
from tests.support.remediator.remediation import FLEET

IN_TMUX: tuple[Planted, ...] = (
    Planted("TmuxServerNotAnswering", "a tmux server stopped", server("hung")),
    Planted("TmuxServerEnded", "a tmux server killed with an agent in it", server("ended")),
    Planted("TmuxServerSlow", "a tmux server stopped for 1.2 s again and again", server("slow")),
    Planted("TmuxServerNearFdLimit",
        "panes opened, and the limit of the server set to one more than it has open", server("crowded"),
        levels=ALL, ends=False),
    Planted("TmuxHistoryGrowing", "a pane that is written full without end", server("wordy"),
        number="1 MiB in each window: a quarter of a gigabyte would be the machine's", ends=False),
    Planted("TmuxLeaksGrowing", "a process left behind by a pane each three seconds", server("leaky")),
    Planted("TmuxLeakedMemory", "a process left behind that holds 64 MiB", server("leaky"),
        number="32 MiB: a gigabyte would be the machine's", ends=False),
    Planted("TmuxLeakOld", "a process left behind", server("leaky"), number="10 s: a day is one", ends=False),
    Planted("TmuxSchedulerDangling", "a scheduler for no session", server(FLEET), ends=False),
    Planted("TmuxSchedulerMisdirected", "a scheduler for `wor:0`, where only `work` is", server(FLEET),
        ends=False),
    Planted("TmuxSchedulerStaleGeneration", "a tmux server killed and started again on the same socket",
        server("again"), ends=False),
    Planted("TmuxSchedulerServerless", "a tmux server killed that a scheduler waits for", server("ended"),
        ends=False),
    Planted("TmuxSchedulerImmortal", "`sleep infinity`", server(FLEET), ends=False),
    Planted("TmuxSchedulerOverdue", "the sleep of a scheduler stopped", server(FLEET), ends=False),
    Planted("TmuxSchedulerDuplicate", "the same scheduler made twice", server(FLEET), ends=False),
    Planted("TmuxSchedulerMissed", "a scheduler for no session, and its time comes", server(FLEET)),
)  # fmt: skip
