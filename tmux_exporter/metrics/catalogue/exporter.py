"""Declared families of the exporter itself, its process, the remediator and the host."""

from functools import partial

from tmux_exporter.facts.host import CPU_MODES
from tmux_exporter.facts.log import LogOutcome
from tmux_exporter.facts.operations import CommandLoss, OperationLoss
from tmux_exporter.facts.process import Unreadable
from tmux_exporter.facts.remediation import (
    CULPRIT_ACTIONS,
    Action,
    ActionOutcome,
    CulpritKind,
    LeaseMeans,
    Mode,
    Reclaimed,
    Refusal,
)
from tmux_exporter.facts.spending import PRICES, PROGRAMS, SpendingProblem
from tmux_exporter.metrics.catalogue.family import COMMANDS_OPTION, LINEAGE_OPTION, Spec

SAMPLE_RESULTS = ("complete", "partial", "failed")
HOST_OPTION = "metrics.host"

_exporter = partial(Spec, subject="exporter")
_process = partial(Spec, subject="process")
_remediator = partial(Spec, subject="remediator")
_host = partial(Spec, subject="host", switch=HOST_OPTION)

EXPORTER = (
    _exporter(
        "tmux_exporter_build_info",
        "Which tmux_exporter this is, and the Python that runs it.",
        labels=("version", "pythonversion"),
    ),
    _exporter(
        "tmux_exporter_last_sample_timestamp_seconds",
        "When the sample that is shown here began, in seconds since the epoch. Samples are taken in "
        "the background, when somebody needs one; a scrape shows the last one, and waits for the next only "
        "where that is older than sampling.interval (and see ?fresh=1).",
    ),
    _exporter(
        "tmux_exporter_sample_interval_seconds",
        "Interval of the background samples while somebody reads them (sampling.interval); every figure "
        "here can be that old.",
    ),
    _exporter(
        "tmux_exporter_sample_tick_seconds",
        "Time from this sample to the next one as it is due now: sampling.interval while a page, top or an "
        "irregular scraper reads them, just so long that the next scrape finds a fresh one, or "
        "sampling.idle_interval where nobody reads.",
    ),
    _exporter(
        "tmux_exporter_sample_duration_seconds",
        "How long the last background sample took, from its first read to its conclusions.",
    ),
    _exporter(
        "tmux_exporter_samples_total",
        "Background samples since the exporter started: complete, partial (something could not be "
        "seen, as with a server that hangs) or failed (the last good sample stays on show).",
        labels=("result",),
        closed={"result": SAMPLE_RESULTS},
    ),
    _exporter(
        "tmux_exporter_collector_success",
        "1 when this part of the last sample worked, 0 when it failed and its series are missing or old.",
        labels=("collector",),
    ),
    _exporter(
        "tmux_exporter_unreadable_processes",
        "Processes of this user, and of others in its panes, of which a part could not be read, by reason; "
        "their figures are missing from the sums, not 0.",
        labels=("reason",),
        closed={"reason": tuple(Unreadable)},
    ),
    _exporter(
        "tmux_exporter_usage_source_errors_total",
        "How often something of the files in which agents write what they spend was not counted, by program "
        "and reason: unreadable, untrusted (a link, a pipe, or a file of another user or that everybody can "
        "write), malformed (a line), long_line (over 4 MiB, skipped), ambiguous (of several candidates none "
        "is taken). Only programs of which an agent runs or ran; prices is the table that agents.prices "
        "names.",
        labels=("program", "reason"),
        closed={"program": (*PROGRAMS, PRICES), "reason": tuple(SpendingProblem)},
        sparse=True,
    ),
    _exporter(
        "tmux_exporter_unattributed_cpu_seconds_total",
        "CPU time since the exporter started that may be of tmux and is in no other counter: jobs of a "
        "server, what a pane used between the last sample and its end, and orphans, whose CPU time goes to "
        "init with that of everybody else's.",
    ),
    _exporter(
        "tmux_exporter_dropped_series_total",
        "Series left out because of limits.series, or because another had the same labels; a series "
        "that is left out of ten pages counts ten times.",
    ),
    _exporter(
        "tmux_exporter_family_dropped_series",
        "Series of this family that are left out of this page because of limits.series, which takes "
        "whole families, or because another had the same labels; families of which all is here have none.",
        labels=("family",),
    ),
    _exporter(
        "tmux_exporter_config_last_reload_successful",
        "1 when the last reading of the configuration was applied, 0 when it had errors and the one "
        "before it is still in use.",
    ),
    _exporter(
        "tmux_exporter_config_last_reload_successful_timestamp_seconds",
        "When a configuration was last applied, in seconds since the epoch.",
    ),
    _exporter(
        "tmux_exporter_discovery_missed_total",
        "What audits found wrong and put right: processes that the fast reading had missed or that had "
        "changed although they had not run (then all is read in full for a minute), wrong owners, wrong "
        "counter keys, wrong parts of a report.",
    ),
    _exporter(
        "tmux_exporter_lineage_lost_total",
        "How often fork events of the kernel were lost, by the numbers that it gives them or because it had "
        "more than it kept: what was forked just then may belong to nobody (processes.lineage).",
        option=LINEAGE_OPTION,
    ),
    _exporter(
        "tmux_exporter_log_lines_total",
        "Log lines of the exporter since it started, by what came of them: written, or lost (stderr could "
        "not take them whole, as on a full disk).",
        labels=("outcome",),
        closed={"outcome": tuple(LogOutcome)},
    ),
    _exporter(
        "tmux_exporter_operations_lost_total",
        "Reports of operations that could not be counted: dropped (the queue was full, a gap in the "
        "sender's numbers), malformed, version (of another format), foreign (another user's), names (beyond "
        "operations.max_names), overflow (more at once than can be followed), unfinished (its program ended "
        "without reporting the end).",
        labels=("reason",),
        closed={"reason": tuple(OperationLoss)},
    ),
    _exporter(
        "tmux_exporter_commands_lost_total",
        "tmux commands that may not have been counted: rate (programs started beyond "
        "operations.max_execs_per_second, any of which may have been tmux), vanished (those that had ended "
        "before they could be read), overrun (times the kernel had more events than it kept, and the "
        "commands under way then), overflow (more at once than can be remembered).",
        labels=("reason",),
        closed={"reason": tuple(CommandLoss)},
        option=COMMANDS_OPTION,
    ),
)

PROCESS = (
    _process("process_cpu_seconds_total", "CPU time of the exporter's own process since it started."),
    _process(
        "process_resident_memory_bytes",
        "Resident memory of the exporter's own process by the kernel's quick count in "
        "/proc/self/stat, which can lag behind.",
    ),
    _process("process_virtual_memory_bytes", "Address space of the exporter's own process."),
    _process(
        "process_start_time_seconds", "Start of the exporter's own process, in seconds since the epoch."
    ),
    _process("process_open_fds", "Open file descriptors of the exporter's own process."),
    _process("process_max_fds", "Soft limit on the open file descriptors of the exporter's own process."),
)

REMEDIATOR = (
    _remediator(
        "tmux_remediator_up",
        "1 while the remediator holds its lock and its last cycle is fresh, 0 when it ended or is "
        "stuck; not there where none has run.",
    ),
    _remediator(
        "tmux_remediator_mode",
        "1 for the mode that the remediator is in, 0 for every other; only in enforce does it signal "
        "anything.",
        labels=("mode",),
        closed={"mode": tuple(Mode)},
    ),
    _remediator(
        "tmux_remediator_matches",
        "Things that the policy matched in the last cycle, whether or not it may act on them.",
        labels=("policy",),
    ),
    _remediator(
        "tmux_remediator_actions_total",
        "Actions that were due since the remediator started, by what came of them; would: it only "
        "observes, and nothing was done.",
        labels=("policy", "action", "outcome"),
        closed={"action": tuple(Action), "outcome": tuple(ActionOutcome)},
        figure="actions",
    ),
    _remediator(
        "tmux_remediator_refusals_total",
        "How often something that the policy matches came to be left alone, by the safety rule that "
        "forbade to touch it; one that stays so counts once.",
        labels=("policy", "reason"),
        closed={"reason": tuple(Refusal)},
        figure="refusals",
    ),
    _remediator(
        "tmux_remediator_breaker_open",
        "1 while the policy ends nothing because what it ended was missed, survived or was more than "
        "anybody expected, else 0.",
        labels=("policy",),
    ),
    _remediator(
        "tmux_remediator_leases",
        "Throttles of the policy that hold now, by what holds them: a scope of the user's systemd, or a "
        "pause (SIGSTOP); each ends by itself.",
        labels=("policy", "means"),
        closed={"means": tuple(LeaseMeans)},
    ),
    _remediator(
        "tmux_remediator_lease_end_timestamp_seconds",
        "When the first of the throttles of the policy that are in force ends, in seconds since the epoch; "
        "not there where none is. In the past: it should have ended, and has not.",
        labels=("policy",),
        figure="lease_end_timestamp",
    ),
    _remediator(
        "tmux_remediator_culprits_total",
        "What was done to the process of an agent that held the figures of the policy, by which one that "
        "was: its own process, or one below it.",
        labels=("policy", "action", "culprit"),
        closed={"action": CULPRIT_ACTIONS, "culprit": tuple(CulpritKind)},
        figure="culprits",
    ),
    _remediator(
        "tmux_remediator_reclaimed_bytes_total",
        "Bytes that were measured shortly before an act and gone after it. memory: the share of the memory "
        "of the processes that have ended; history: of panes, which the tmux server uses again.",
        labels=("policy", "source"),
        closed={"source": tuple(Reclaimed)},
        figure="reclaimed",
    ),
    _remediator(
        "tmux_remediator_lease_memory_high_events_total",
        "How often the kernel has slowed down what the policy holds in a scope, because it went above "
        "memory_high; of leases that this remediator has followed.",
        labels=("policy",),
        figure="memory_high_events",
    ),
    _remediator(
        "tmux_remediator_blind",
        "1 while the processes could not be listed and the remediator therefore does nothing at all, "
        "else 0; a tmux server that does not answer only protects what is aimed at it.",
    ),
    _remediator(
        "tmux_remediator_audit_healthy",
        "1 while the audit log can be written, 0 when it cannot and nothing is done.",
    ),
    _remediator(
        "tmux_remediator_log_lines_total",
        "Log lines of the remediator since it started, by what came of them: written, or lost (stderr could "
        "not take them whole, as on a full disk).",
        labels=("outcome",),
        closed={"outcome": tuple(LogOutcome)},
        figure="log_lines",
    ),
    _remediator(
        "tmux_remediator_config_last_reload_successful",
        "1 when the last reading of the policies was applied, 0 when they had errors and those before "
        "are still in use.",
        figure="reload_successful",
    ),
    _remediator(
        "tmux_remediator_last_cycle_timestamp_seconds",
        "When the remediator finished its last cycle, in seconds since the epoch.",
    ),
)

HOST = (
    _host("tmux_host_memory_bytes", "Memory that the kernel of the host has to give out (MemTotal)."),
    _host("tmux_host_memory_available_bytes", "Memory that programs can still get without swapping."),
    _host(
        "tmux_host_cpu_seconds_total",
        "CPU time of the host by mode, all cores summed, since the host was booted: the kernel's own "
        "counter, not one that starts with the exporter. What guests ran is within user and nice.",
        labels=("mode",),
        closed={"mode": CPU_MODES},
    ),
    _host("tmux_host_load1", "Load average of the last minute."),
    _host(
        "tmux_host_disk_io_seconds_total",
        "Time in which the disk had work at hand, since the host was booted: the kernel's own counter. Whole "
        "disks only: no partitions, and nothing that is made of other disks, of files or of memory.",
        labels=("device",),
    ),
    _host(
        "tmux_host_filesystem_size_bytes",
        "Size of the file system: of all that are on a disk of this host, and of what HOME, the state folder "
        "and /tmp are on. One that is mounted several times is there once; network file systems and what is "
        "mounted below them are never asked.",
        labels=("mountpoint",),
        figure="size_bytes",
    ),
    _host(
        "tmux_host_filesystem_avail_bytes",
        "Space that users other than root can still fill, of the same file systems.",
        labels=("mountpoint",),
        figure="available_bytes",
    ),
    _host(
        "tmux_host_filesystem_inodes",
        "Inodes of the same file systems: each file and folder takes one. Not there where a file system "
        "makes them as it needs them.",
        labels=("mountpoint",),
        figure="inodes",
    ),
    _host(
        "tmux_host_filesystem_avail_inodes",
        "Inodes that users other than root can still take.",
        labels=("mountpoint",),
        figure="available_inodes",
    ),
    _host(
        "tmux_host_network_receive_bytes_total",
        "Bytes that the network device received since it is there: the kernel's own counter. Every device of "
        "this network namespace but lo and veth*.",
        labels=("device",),
        figure="received_bytes",
    ),
    _host(
        "tmux_host_network_transmit_bytes_total",
        "Bytes that the network device sent since it is there: the kernel's own counter.",
        labels=("device",),
        figure="sent_bytes",
    ),
    _host(
        "tmux_host_network_speed_bytes",
        "Speed of the network device in bytes per second, where its driver knows one; virtual devices and "
        "Wi-Fi often do not.",
        labels=("device",),
        figure="speed_bytes",
    ),
    _host(
        "tmux_host_pressure_seconds_total",
        "Time in which tasks waited for the resource (cpu, io, memory), since the host was booted: the "
        "kernel's own counter (PSI). Kind some: at least one task waited; full: all did at the same time.",
        labels=("resource", "kind"),
        figure="pressure_seconds",
    ),
    _host("tmux_host_processes", "Processes on the host, of all users, as far as /proc shows them."),
    _host("tmux_host_pids", "Process and thread ids in use.", figure="threads"),
    _host(
        "tmux_host_pids_limit",
        "Process and thread ids that the kernel can give out: kernel.pid_max or kernel.threads-max, "
        "whichever is lower.",
        figure="threads_limit",
    ),
    _host("tmux_host_ptys", "Pseudo-terminals in use."),
    _host(
        "tmux_host_ptys_limit",
        "Pseudo-terminals that the kernel can give out (kernel.pty.max); containers cannot have the last "
        "kernel.pty.reserve of them.",
    ),
    _host(
        "tmux_host_inotify_instances",
        "inotify instances that the processes of this user have open; one that several hold counts for each.",
    ),
    _host(
        "tmux_host_inotify_instances_limit",
        "inotify instances that a user can have open (fs.inotify.max_user_instances).",
    ),
    _host(
        "tmux_host_user_pids",
        "Processes and threads of this user (by effective uid), zombies included: what ulimit -u limits.",
    ),
    _host(
        "tmux_host_user_pids_limit",
        "Processes and threads that this user can have: the lowest soft limit (ulimit -u, RLIMIT_NPROC) of "
        "this user's tmux servers, which panes inherit; without a server, of the exporter. Not there where "
        "there is no limit, and never for root, whom the kernel does not limit.",
    ),
    _host(
        "tmux_host_cgroup_pids",
        "Processes and threads in the cgroup that is nearest to its limit of processes (pids.max), of those "
        "that this user's tmux servers are in, all above included, as the slice of the user.",
    ),
    _host(
        "tmux_host_cgroup_pids_limit",
        "Processes and threads that can be in that cgroup; not there where none of them has a limit.",
    ),
    _host(
        "tmux_host_oom_kills_total",
        "Processes that the kernel has killed for memory since the host was booted, of all users and in all "
        "cgroups: the kernel's own counter.",
        figure="oom_kills",
    ),
)
