"""Reports of what counts by itself: a tmux server, a scheduler, a leak."""

from collections.abc import Mapping

from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.programs.process_names import display_name
from tmux_exporter.analysis.programs.program import argv_sha256
from tmux_exporter.analysis.report.counter_keys import scheduler_session, socket_label
from tmux_exporter.analysis.report.query_stats import ServerQueries
from tmux_exporter.analysis.report.usage import usage
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.label import label_text, visible_text
from tmux_exporter.facts.leaks import Leak
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.report import LeakReport, SchedulerReport, ServerReport
from tmux_exporter.facts.schedulers import Scheduler
from tmux_exporter.facts.tmux import ServerView


def server_report(
    view: ServerView, table: ProcessTable, *, queries: ServerQueries, cpu_seconds: float
) -> ServerReport:
    """One server; `cpu_seconds` of its process since we watch it."""
    listing = view.listing
    # An ended server may still be a zombie: in a container often no process reaps it.
    process = table.find(view.process) if view.process and not view.ended else None
    return ServerReport(
        server=view.label,
        socket=label_text(view.socket),
        version=label_text(listing.version) if listing else None,
        pid=view.process.pid if view.process and not view.ended else None,
        up=view.up,
        held=listing is not None and not view.up,
        listing_age_seconds=max(0.0, table.taken_at - listing.taken_at) if listing else None,
        sessions=len(listing.sessions) if listing else None,
        windows=len(listing.windows) if listing else None,
        panes=len(listing.panes) if listing else None,
        clients=listing.clients if listing else None,
        history_bytes=sum(pane.history_bytes for pane in listing.panes) if listing else None,
        start_time_seconds=table.start_time(process.id) if process else None,
        resident_memory_bytes=process.resident_bytes if process else None,
        cpu_seconds_total=cpu_seconds if process else None,
        open_fds=process.open_fds if process else None,
        max_fds=process.max_fds if process else None,
        query_duration=queries.durations(),
        query_failures=queries.failures,
        problem=view.problem,
        ended=view.ended,
        listing_taken_at=listing.taken_at if listing else None,
    )


def scheduler_report(
    scheduler: Scheduler, snapshot: Snapshot, labels: Mapping[ProcessId, str]
) -> SchedulerReport:
    """One scheduler with its sleep; `labels` are those of servers."""
    table = snapshot.table
    ids = (scheduler.process, scheduler.sleep)
    members = [process for each in ids if each is not None and (process := table.find(each))]
    server, session = scheduler_session(scheduler, snapshot, labels)
    own_usage = usage(members, Totals(), table.start_time, memory=snapshot.memory)
    return SchedulerReport(
        server=server,
        session=session,
        state=scheduler.state,
        reason=scheduler.reason,
        targets=tuple(visible_text(target) for target in scheduler.targets),
        process=scheduler.process,
        due_timestamp_seconds=scheduler.due,
        memory_bytes=own_usage.memory_bytes,
        cpu_seconds_total=sum(each.cpu_ticks for each in members) / table.clock_ticks_per_second,
        open_fds=own_usage.open_fds,
        sleep=scheduler.sleep,
        aimed=tuple(labels.get(server, "") for server in scheduler.aimed),
        judged_at=scheduler.judged_at,
        start_time_seconds=table.start_time(scheduler.process),
        remarks=scheduler.remarks,
        sockets=tuple(map(label_text, scheduler.sockets)),
        made_for=tuple(socket_label(each, snapshot.view) for each in scheduler.sockets),
    )


def leak_report(leak: Leak, process: Process, snapshot: Snapshot) -> LeakReport:
    """One leak, which is this process."""
    table = snapshot.table
    return LeakReport(
        server=leak.server,
        session=leak.session,
        pane=leak.pane.pane if leak.pane else "",
        kind=leak.kind,
        reason=leak.reason,
        name=label_text(display_name(process)),
        process=leak.process,
        start_time_seconds=table.start_time(process.id),
        memory_bytes=snapshot.memory.memory_bytes(process),
        cpu_seconds_total=process.cpu_ticks / table.clock_ticks_per_second,
        open_fds=process.open_fds,
        argv_sha256=argv_sha256(process),
        by_marker=leak.by_marker,
        by_folder=leak.by_folder,
        by_environment=leak.by_environment,
        by_lineage=leak.by_lineage,
        listens=leak.listens,
        ports=leak.ports,
        quiet_since=leak.quiet_since,
        files=snapshot.memory.tables.get(leak.process),
    )
