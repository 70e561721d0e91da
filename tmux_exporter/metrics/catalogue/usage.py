"""Resource usage families of sessions, agents and panes, declared once for all three."""

from dataclasses import dataclass

from tmux_exporter.facts.report import Usage
from tmux_exporter.metrics.catalogue.family import FamilyStatus, Spec


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One family of every group, `tmux_<group>_<suffix>`, and the figure of `Usage` called `suffix`.

    `Usage` has no figure of one that is only `planned`. `common` families are shown for panes too, the rest
    only with `metrics.pane_detail`. `in_policies`: a policy may ask for it, of agents, and of panes where it
    is `common`. `{it}` in the help is the group.
    """

    suffix: str
    help: str
    planned: bool = False
    common: bool = False
    in_policies: bool = True


_WHOSE = {
    "session": "a pane of it has",
    "agent": "its pane has",
    "pane": "it has",
}

PANE_DETAIL = "metrics.pane_detail"

INFO_LABELS = ("memory_source", "partial", "cpu_source")

INFO_HELP = (
    "memory_source is what tmux_{group}_memory_bytes rests on: status (nothing of note is shared), "
    "smaps_rollup (what is shared is divided among its sharers), upper_bound (what is shared could not be "
    "told apart and counts for each of them), cgroup (the kernel's account of cgroups that hold nothing "
    "else), empty where it is not known. partial names the sums (memory, fds, io) in which processes are "
    "missing that could not be read, as another user's. cpu_source is what tmux_{group}_cpu_seconds_total "
    "rests on now: processes, cgroup (the kernel's account, orphans included), mixed (some of each)."
)

ROWS = (
    UsageRow(
        "memory_bytes",
        "About what the kernel would win back if {it} ended: anonymous plus shared memory of its "
        "processes, each page once, and open files in memory without a name that nobody maps. Other files, "
        "page cache and swap are not counted. memory_source in the info says what it rests on.",
        common=True,
    ),
    UsageRow(
        "memory_limit_bytes",
        "Lowest limit on the memory of {it}: of the configuration, of the cgroups that hold all of it "
        "(and perhaps more than it), and of the host.",
        in_policies=False,
    ),
    UsageRow(
        "resident_memory_bytes",
        "Resident memory of the processes of {it}, summed: what several processes map counts for each "
        "of them.",
    ),
    UsageRow(
        "anonymous_memory_bytes",
        "Resident anonymous memory of the processes of {it}; files, shared memory and swap are not counted.",
    ),
    UsageRow(
        "swap_memory_bytes",
        "Swapped-out anonymous memory of the processes of {it}; not part of the other memory figures.",
    ),
    UsageRow(
        "proportional_memory_bytes",
        "Proportional set size of the processes of {it}: each shared page divided by those who map it "
        "(opt-in).",
        planned=True,
    ),
    UsageRow(
        "cpu_seconds_total",
        "User and system CPU time of the processes of {it} since the exporter saw it first. Those that "
        "lived and ended between two samples are included once their parent has waited for them; where it "
        "ignores SIGCHLD, a process counts up to the last sample before its end.",
        common=True,
    ),
    UsageRow(
        "cpu_limit_cores",
        "Lowest limit on the CPU of {it}, in cores: of the configuration, the cgroup and the host.",
        planned=True,
    ),
    UsageRow("processes", "Processes of {it} that are alive; zombies are not counted.", common=True),
    UsageRow("threads", "Threads of the processes of {it}."),
    UsageRow(
        "open_fds",
        "Open file descriptors of the processes of {it}, summed; those of unreadable processes are missing.",
        common=True,
    ),
    UsageRow(
        "fd_utilization_ratio",
        "Open file descriptors divided by their soft limit, of the worst process of {it}.",
        common=True,
    ),
    UsageRow(
        "read_bytes_total",
        "Bytes that processes of {it} read from storage since the exporter saw it first, each once, "
        "those that ended between two samples included; what the page cache or a network file system "
        "served is not counted.",
    ),
    UsageRow(
        "written_bytes_total",
        "Bytes that processes of {it} sent towards storage since the exporter saw it first, each once, "
        "those that ended between two samples included; counted when the page is dirtied, even if it is "
        "deleted before it reaches a disk.",
    ),
    UsageRow(
        "process_tree_depth",
        "Longest chain of parent and child among the processes of {it}; 1 for a process without children.",
    ),
    UsageRow(
        "oldest_process_start_time_seconds",
        "Start of the oldest process of {it}, in seconds since the epoch.",
        in_policies=False,
    ),
    UsageRow(
        "oom_kills_total",
        "Processes that the kernel has killed for memory since the exporter saw {it} first, in the cgroups "
        "that {whose} to itself; where none is its own there is no series, and only "
        "the count of the whole host tells.",
        in_policies=False,
    ),
)


def usage_specs(group: str, labels: tuple[str, ...]) -> tuple[Spec, ...]:
    """Declare the usage families of one kind of group: `session`, `agent` or `pane`."""
    return tuple(
        Spec(
            f"tmux_{group}_{row.suffix}",
            row.help.format(it=f"the {group}", whose=_WHOSE[group]),
            subject=group,
            labels=labels,
            status=FamilyStatus.PLANNED if row.planned else FamilyStatus.BUILT,
            option=PANE_DETAIL if group == "pane" and not row.common else "",
            figure=f"usage.{row.suffix}",
        )
        for row in ROWS
    )


def policy_figures(*, common_only: bool = False) -> tuple[str, ...]:
    """The figures of `Usage` that policies may ask for."""
    return tuple(
        row.suffix for row in ROWS if row.in_policies and not row.planned and (row.common or not common_only)
    )


def info_values(usage: Usage) -> tuple[str, str, str]:
    """The values of INFO_LABELS."""
    return usage.memory_source or "", ",".join(usage.partial), usage.cpu_source
