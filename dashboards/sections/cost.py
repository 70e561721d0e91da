"""What a session or an agent costs over time: the same graphs for both."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import Steps
from dashboards.panels import NAME_PATTERN, graph
from dashboards.queries import AGENT, LARGEST, SESSION, Query, at_end, largest, memory_of_limit, rate, select
from dashboards.sections.states import AGENT_NAME, NO_AGENT
from tmux_exporter.facts.report import INCOMPLETE_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the graphs are about. `family` begins the names of its metrics, `first` numbers its panels."""

    noun: str
    family: str
    scope: tuple[str, ...]
    legend: str
    rename: tuple[str, str] | None = None
    empty: str
    first: int

    def select(self, figure: str) -> str:
        """One of its figures."""
        return select(f"{self.family}_{figure}", self.scope)


SESSIONS = Subject(
    noun="session",
    family="tmux_session",
    scope=SESSION,
    legend="{{session}} · {{server}} · {{instance}}",
    rename=NAME_PATTERN,
    empty="No session is seen. Does the exporter run, and tmux, and do the variables above leave one?",
    first=30,
)
AGENTS = Subject(
    noun="agent",
    family="tmux_agent",
    scope=AGENT,
    legend=AGENT_NAME,
    empty=NO_AGENT,
    first=30,
)


def panels(subject: Subject, limits: Steps | None = None) -> Sequence[Builder[dashboard.Panel]]:
    """Six graphs in three lines; `limits` are the levels of the alert about its memory."""
    return (
        _memory(subject),
        _of_limit(subject, limits),
        _cpu(subject),
        _descriptors(subject),
        _storage(subject),
        _tree(subject),
    )


def _memory(subject: Subject) -> Builder[dashboard.Panel]:
    now = subject.select("memory_bytes")
    return graph(
        subject.first + 1,
        "Memory",
        f"What the kernel would win back if the {subject.noun} ended; swap is not in here. A line that only "
        f"ever rises is a leak. Shown are the {LARGEST} with the highest peak.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend=subject.legend)],
        unit="bytes",
        empty=subject.empty,
        rename=subject.rename,
    )


def _of_limit(subject: Subject, limits: Steps | None) -> Builder[dashboard.Panel]:
    memory, limit = subject.select("memory_bytes"), subject.select("memory_limit_bytes")
    ranked = f"{at_end('max_over_time', memory)} / {at_end('max_over_time', limit)}"
    lines = " The dashed lines are where the alerts are." if limits else ""
    return graph(
        subject.first + 2,
        "Memory as a part of its limit",
        "Memory and swap, divided by the lowest limit that holds: of the configuration, the cgroup or the "
        f"host. At 100 % the kernel ends a process.{lines} Shown are the {LARGEST} that came nearest.",
        [
            Query(
                expr=largest(f"({memory_of_limit(subject.scope, subject.family)})", ranked),
                legend=subject.legend,
            )
        ],
        unit="percentunit",
        empty=subject.empty,
        rename=subject.rename,
        steps=limits,
        top=1,
    )


def _cpu(subject: Subject) -> Builder[dashboard.Panel]:
    used = subject.select("cpu_seconds_total")
    queries = [Query(expr=largest(rate(used), at_end("rate", used)), legend=subject.legend)]
    short = ""
    if subject is SESSIONS:
        missing = subject.select("unwatched_cpu_seconds_total")
        lost = rate(missing)
        told = f"({lost} and {lost} / ({lost} + {rate(used)}) > {INCOMPLETE_RATIO})"
        queries.append(
            Query(expr=largest(told, at_end("rate", missing)), legend=f"missing, about: {subject.legend}")
        )
        short = (
            " What orphans used unseen is a line of its own where it is more than "
            f"{INCOMPLETE_RATIO:.0%} of a session's."
        )
    return graph(
        subject.first + 3,
        "CPU cores",
        f"Cores that the {subject.noun} uses, with all that it started. Shown are the {LARGEST} that "
        f"used most.{short}",
        queries,
        unit="none",
        empty=subject.empty,
        rename=subject.rename,
    )


def _descriptors(subject: Subject) -> Builder[dashboard.Panel]:
    now = subject.select("fd_utilization_ratio")
    return graph(
        subject.first + 4,
        "File descriptors as a part of the limit",
        "Open file descriptors of the worst process, divided by that process's own limit: at 100 % it can "
        f"open nothing more. Shown are the {LARGEST} that came nearest.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend=subject.legend)],
        unit="percentunit",
        empty=subject.empty,
        rename=subject.rename,
        top=1,
    )


def _storage(subject: Subject) -> Builder[dashboard.Panel]:
    return graph(
        subject.first + 5,
        "Read and written",
        "Bytes per second from and to storage, of all that is chosen above. What the page cache or a network "
        "file system served is not counted, so 0 is common.",
        [
            Query(expr=f"sum({rate(subject.select('read_bytes_total'))})", legend="read"),
            Query(expr=f"sum({rate(subject.select('written_bytes_total'))})", legend="written"),
        ],
        unit="Bps",
        soft_top=10_000,
        empty=subject.empty,
    )


def _tree(subject: Subject) -> Builder[dashboard.Panel]:
    return graph(
        subject.first + 6,
        "Processes, threads and depth",
        "Processes and threads of all that is chosen above, and the longest chain of parent and child among "
        "them. Processes that only become more are started and never ended.",
        [
            Query(expr=f"sum({subject.select('processes')})", legend="processes"),
            Query(expr=f"sum({subject.select('threads')})", legend="threads"),
            Query(expr=f"max({subject.select('process_tree_depth')})", legend="depth"),
        ],
        unit="none",
        empty=subject.empty,
    )
