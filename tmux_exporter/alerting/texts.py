"""The texts of all alerts: the first command to type, what holds once it is over, value, bound, culprits."""

from collections.abc import Mapping

from tmux_exporter.alerting.base.scope import PERCENT, SIZE, TIME
from tmux_exporter.alerting.base.text import Text, most, word

_SIZE = "{{ .Value | humanize1024 }}B"
_CORES = "{{ .Value | printf `%.1f` }} cores"
_COUNT = "{{ .Value }}"
_PART = "{{ .Value | humanizePercentage }}"
_WAITED = "{{ .Value | humanizeDuration }}"
_NUMBER_OF = "{{ $value | humanize }}"

_EXPLAIN_AGENT = f"tmux-exporter explain {word('printf `agent:%s` $labels.agent')}"
_EXPLAIN_SESSION = f"tmux-exporter explain {word('printf `session:%s` $labels.session')}"
_EXPLAIN_SERVER = f"tmux-exporter explain {word('printf `server:%s` $labels.server')}"
_TOP = "tmux-exporter top --once"
_DOCTOR = "tmux-exporter doctor"
_LEAKS = "tmux-exporter leaks"
_SCHEDULERS = "tmux-exporter schedulers"
_AUDIT = "tmux-remediator audit"
_EXPORTER = "ps -o pid,state,etime,wchan,args -C tmux-exporter"
_JOURNAL = "journalctl --user-unit tmux-exporter -n 20 --no-pager"
_SERVERS = "ps -o pid,state,etime,wchan,args -p \"$(pgrep -d, -x 'tmux: server')\""

_LESS = "It is below its bound again, or not seen any more."
_ANSWERS = "It answers again."

_SESSIONS_BY_MEMORY = most("tmux_session_memory_bytes{}", "session", _SIZE)
_SESSIONS_BY_CPU = most("rate(tmux_session_cpu_seconds_total{}[5m])", "session", _CORES)
_SESSIONS_BY_WRITES = most("increase(tmux_session_written_bytes_total{}[1h])", "session", _SIZE)
_SESSIONS_BY_PROCESSES = most("tmux_session_processes{}", "session", _COUNT)
_SESSIONS_BY_HISTORY = most("tmux_session_history_bytes{}", "session", _SIZE, "server")
_BY_SPEND = most(
    "increase(tmux_session_cost_dollars_total{}[1h])", "session", "${{ .Value | printf `%.2f` }}"
)
_AGENTS_DOWN = most("1 - avg_over_time(tmux_agent_up{}[1h])", "agent", _PART)
_AGENTS_OF_SERVER = most("last_over_time(tmux_agent_memory_bytes{}[10m])", "agent", _SIZE, "server")

_EXPORTER_ITSELF: Mapping[str, Text] = {
    "Watchdog": Text("amtool alert", "Alerts are not delivered any more."),
    "TmuxExporterDown": Text(_EXPORTER, "The exporter is scraped again."),
    "TmuxExporterAway": Text(_EXPORTER, "The exporter is scraped again."),
    "TmuxExporterSkipsSamples": Text(
        _TOP, "Samples are taken when they are due again.", PERCENT, "less than $ratio% of the samples"
    ),
    "TmuxExporterStale": Text(
        _EXPORTER, "The exporter takes samples again.", TIME, "no new sample within $over"
    ),
    "TmuxExporterClockWrong": Text(
        "date -u", "The clocks agree again.", TIME, "$behind~s behind or $ahead~s ahead"
    ),
    "TmuxSamplesPartial": Text(
        _DOCTOR, "Samples are complete again.", PERCENT, "more than $ratio% of the samples"
    ),
    "TmuxExporterBlind": Text(_DOCTOR, "The exporter sees processes again."),
    "TmuxCollectorFailing": Text(_DOCTOR, "The collector works again."),
    "TmuxExporterDroppingSeries": Text(
        _TOP, "No series is left out any more.", _NUMBER_OF, "more than $more_than"
    ),
    "TmuxExporterRestarting": Text(
        _JOURNAL, "No more restarts than that within the last hour.", "{{ $value }}", "more than $more_than"
    ),
    "TmuxExporterConfigRefused": Text(_JOURNAL, "The configuration was taken."),
}

_TMUX_SERVERS: Mapping[str, Text] = {
    "TmuxServerNotAnswering": Text(_SERVERS, _ANSWERS, culprits=_AGENTS_OF_SERVER),
    "TmuxServerEnded": Text(
        _TOP, "Told once; whether it was started again `tmux-exporter top` shows.", culprits=_AGENTS_OF_SERVER
    ),
    "TmuxServerSlow": Text(
        _EXPLAIN_SERVER, _LESS, TIME, "more than $seconds s", culprits=_SESSIONS_BY_HISTORY
    ),
    "TmuxServerNearFdLimit": Text(_EXPLAIN_SERVER, _LESS, PERCENT, "more than $level%"),
    "TmuxHistoryFills": Text(
        _EXPLAIN_SERVER,
        "The scroll-back does not grow so fast any more.",
        SIZE,
        "more than $step~B in each of three windows",
        _SESSIONS_BY_HISTORY,
    ),
    "TmuxHistoryGrowing": Text(
        _EXPLAIN_SERVER,
        "The scroll-back does not grow any more.",
        SIZE,
        "more than $step~B in each quarter of an hour",
        _SESSIONS_BY_HISTORY,
    ),
}


def _near(kind: str, explain: str, culprits: Mapping[str, str]) -> dict[str, Text]:
    return {
        f"Tmux{kind}Near{limit}Limit": Text(
            explain, _LESS, PERCENT, "more than $level%", culprits.get(limit, "")
        )
        for limit in ("Memory", "Cpu", "Fd", "Pid")
    }


_OF_SESSION = ("server", "session")
_USAGE: Mapping[str, Text] = {
    **_near(
        "Session",
        _EXPLAIN_SESSION,
        {
            "Memory": most("tmux_agent_memory_bytes{}", "agent", _SIZE, *_OF_SESSION),
            "Cpu": most("rate(tmux_agent_cpu_seconds_total{}[5m])", "agent", _CORES, *_OF_SESSION),
            "Fd": most("tmux_agent_fd_utilization_ratio{}", "agent", _PART, *_OF_SESSION),
            "Pid": most("tmux_agent_processes{}", "agent", _COUNT, *_OF_SESSION),
        },
    ),
    **_near("Agent", _EXPLAIN_AGENT, {}),
    "TmuxAgentManyProcesses": Text(_EXPLAIN_AGENT, _LESS, "{{ $value }}", "more than $more_than"),
    "TmuxAgentOomKilled": Text(
        _EXPLAIN_AGENT, "None was killed within the last $within.", _NUMBER_OF, "more than 0"
    ),
    **dict.fromkeys(
        ("TmuxAgentFdsRunOut", "TmuxAgentMemoryRunsOut"),
        Text(
            _EXPLAIN_AGENT, "At its pace it lasts longer, or it grows no more.", TIME, "less than $seconds~s"
        ),
    ),
    "TmuxSessionMemoryGrowing": Text(
        _EXPLAIN_SESSION,
        "It does not grow any more.",
        SIZE,
        "more than $step~B in each quarter of an hour",
        most("delta(tmux_agent_memory_bytes{}[1h])", "agent", _SIZE, *_OF_SESSION),
    ),
    "TmuxAgentMemoryGrowing": Text(
        _EXPLAIN_AGENT, "It does not grow any more.", SIZE, "more than $step~B in each quarter of an hour"
    ),
    "TmuxAgentFdsGrowing": Text(
        _EXPLAIN_AGENT,
        "It opens no more than it closes.",
        "{{ $value }}",
        "more than $step in each quarter of an hour",
    ),
}

_AGENTS: Mapping[str, Text] = {
    "TmuxAgentWaiting": Text(
        _EXPLAIN_AGENT, "It does not wait any more, or has ended.", TIME, "more than $seconds~s"
    ),
    "TmuxAgentExited": Text(_EXPLAIN_AGENT, "An agent runs there again, or its pane is closed."),
    "TmuxAgentAbsent": Text(_TOP, "It is there again, or not declared any more."),
    "TmuxAgentsAllAbsent": Text(_TOP, "One of them is there again.", "{{ $value }}", "$least or more"),
    "TmuxAgentStuck": Text(
        _EXPLAIN_AGENT, "It uses CPU again, or does not say that it works.", TIME, "less than $cpu_seconds s"
    ),
    "TmuxAgentIdleBurn": Text(
        _EXPLAIN_AGENT, "It is calm, or works.", f"{_NUMBER_OF} cores", "more than $cores"
    ),
    "TmuxAgentRestarting": Text(
        _EXPLAIN_AGENT,
        "No more restarts than that within the last hour.",
        _NUMBER_OF,
        "more than $more_than within $within",
    ),
    "TmuxAgentRecoverySlow": Text(_TOP, "Agents come back in time again.", TIME, "more than $seconds~s"),
}

_SPENDING: Mapping[str, Text] = {
    "TmuxAgentContextFull": Text(_EXPLAIN_AGENT, _LESS, PERCENT, "more than $ratio%"),
    "TmuxAgentsOutOfQuota": Text(
        _TOP,
        "They do not wait for a usage limit any more.",
        "{{ $value }}",
        "$least or more",
        most(
            'time() - tmux_agent_waiting_since_timestamp_seconds{, reason="usage_limit"}',
            "agent",
            _WAITED,
            count=9,
        ),
    ),
    "TmuxAgentIdleAfterLimit": Text(
        _EXPLAIN_AGENT, "It works, has ended, or an hour is over.", TIME, "more than 0s"
    ),
    "TmuxQuotaEndsEarly": Text(
        "tmux-exporter usage",
        "At its pace it lasts until the reset.",
        PERCENT,
        "more than 100%",
        _BY_SPEND,
    ),
    "TmuxSpendHigh": Text(
        "tmux-exporter usage",
        "They have spent less than that within the last hour.",
        "${{ $value | humanize }}",
        "more than $$more_than",
        _BY_SPEND,
    ),
}

_LEFT_OVER: Mapping[str, Text] = {
    "TmuxLeaksGrowing": Text(
        _LEAKS,
        "They do not become more any more.",
        "{{ $value }}",
        "more than $step in each quarter of an hour",
        most("sum by (session) (tmux_leaked_processes{})", "session", _COUNT, "server"),
    ),
    "TmuxLeakedMemory": Text(
        _LEAKS,
        _LESS,
        SIZE,
        "more than $bytes~B",
        most("sum by (session) (tmux_leaked_memory_bytes{})", "session", _SIZE, "server"),
    ),
    "TmuxLeakOld": Text(_LEAKS, "The old ones have ended.", TIME, "more than $seconds~s"),
}

_SCHEDULER_STATES = {
    "Dangling": "No scheduler is without a target any more.",
    "Misdirected": "No scheduler aims at another pane any more.",
    "StaleGeneration": "No scheduler of an ended tmux server waits any more.",
    "Serverless": "No scheduler without a tmux server waits any more.",
    "Immortal": "No scheduler sleeps for ever any more.",
    "Overdue": "No scheduler is overdue any more.",
    "Duplicate": "No scheduler is there twice any more.",
}
_PENDING: Mapping[str, Text] = {
    **{
        f"TmuxScheduler{state}": Text(_SCHEDULERS, resolved, "{{ $value }}", "more than $more_than")
        for state, resolved in _SCHEDULER_STATES.items()
    },
    "TmuxSchedulerMissed": Text(
        _SCHEDULERS, "None was missed within the last $within.", _NUMBER_OF, "more than $more_than"
    ),
}

_OPERATIONS: Mapping[str, Text] = {
    "TmuxOperationSlow": Text(_TOP, "It is quick again, or rare.", PERCENT, "more than $level%"),
    "TmuxOperationTailSlow": Text(
        _TOP, "It is quick again, or rare.", f"{_NUMBER_OF} times what may", "more than $level"
    ),
    "TmuxOperationErrors": Text(_TOP, "It succeeds again, or is rare.", PERCENT, "more than $level%"),
    "TmuxThroughputLow": Text(
        _TOP,
        "They are finished as asked for, or fewer are asked for.",
        f"{_NUMBER_OF} a minute",
        "less than $per_minute",
    ),
    "TmuxOperationsLost": Text(
        _DOCTOR, "None was lost within the last hour.", _NUMBER_OF, "more than $more_than"
    ),
    "TmuxCommandErrors": Text(_EXPLAIN_SERVER, _LESS, PERCENT, "more than $ratio%"),
}

_HOST: Mapping[str, Text] = {
    "TmuxHostCpuHigh": Text(f"{_TOP} --sort cpu", _LESS, PERCENT, "more than $level%", _SESSIONS_BY_CPU),
    "TmuxHostMemoryHigh": Text(
        f"{_TOP} --sort memory", _LESS, PERCENT, "more than $level%", _SESSIONS_BY_MEMORY
    ),
    "TmuxHostNearLimit": Text(_DOCTOR, _LESS, PERCENT, "more than $level%", _SESSIONS_BY_PROCESSES),
    "TmuxHostMemoryRunsOut": Text(
        f"{_TOP} --sort memory",
        "At the pace of the last hour the memory lasts longer.",
        TIME,
        "less than $seconds~s",
        most("delta(tmux_session_memory_bytes{}[1h])", "session", _SIZE),
    ),
    "TmuxHostDiskBusy": Text(
        "ps -eo state,pid,etime,args --sort state", _LESS, PERCENT, "more than $ratio%", _SESSIONS_BY_WRITES
    ),
    "TmuxHostDiskFull": Text(
        f"du -xh -d2 {word('$labels.mountpoint')} | sort -h | tail",
        _LESS,
        PERCENT,
        "more than $level%",
        _SESSIONS_BY_WRITES,
    ),
    "TmuxHostInodesFull": Text(
        f"du -x --inodes -d2 {word('$labels.mountpoint')} | sort -n | tail",
        _LESS,
        PERCENT,
        "more than $level%",
    ),
    "TmuxHostDiskRunsOut": Text(
        f"du -xh -d2 {word('$labels.mountpoint')} | sort -h | tail",
        "At its pace the space lasts longer.",
        TIME,
        "less than $seconds~s",
        _SESSIONS_BY_WRITES,
    ),
    "TmuxHostOomKill": Text(
        "journalctl -k -g oom -n 20 --no-pager",
        "None was killed within the last $within.",
        _NUMBER_OF,
        "more than 0",
        _SESSIONS_BY_MEMORY,
    ),
    "TmuxHostPressure": Text(
        f"{_TOP} --sort memory", _LESS, PERCENT, "more than $memory% (memory), $io% (io)", _SESSIONS_BY_MEMORY
    ),
    "TmuxHostNetworkBusy": Text("ss -tnp", _LESS, PERCENT, "more than $ratio%"),
}

_REMEDIATOR: Mapping[str, Text] = {
    "TmuxRemediatorDown": Text(
        "ps -o pid,state,etime,args -C tmux-remediator", "It runs again, or was put away for good."
    ),
    "TmuxRemediatorBlind": Text(_AUDIT, "It sees processes again."),
    "TmuxRemediatorAuditUnhealthy": Text("df -h ~", "It can write its record again."),
    "TmuxRemediatorPoliciesRefused": Text(_AUDIT, "Its policies were taken."),
    "TmuxRemediatorBreakerOpen": Text(_AUDIT, "The breaker is closed again."),
    "TmuxRemediatorLeaseOverdue": Text(
        "tmux-remediator changes", "The bounds are taken back.", TIME, "more than 0s"
    ),
    "TmuxRemediatorHoldsLong": Text("tmux-remediator changes", "It was free for some time."),
    "TmuxRemediatorRefusing": Text(
        _AUDIT, "Nothing that matches is left alone any more.", "{{ $value }}", "more than 0"
    ),
    "TmuxRemediatorActed": Text(
        _AUDIT, "It has not acted within the last $within.", _NUMBER_OF, "more than 0"
    ),
}

_BUDGETS: Mapping[str, Text] = {
    name: Text(_TOP, resolved, PERCENT, bound, _AGENTS_DOWN)
    for name, resolved, bound in (
        ("TmuxErrorBudgetBurnsFast", "The budget burns no faster than that.", "$factor times the budget"),
        ("TmuxErrorBudgetBurnsSlowly", "The budget lasts again.", "$factor times the budget"),
        ("TmuxErrorBudgetSpent", "Something of the budget is left again.", "less than $left%"),
    )
}

TEXTS: Mapping[str, Text] = {
    **_EXPORTER_ITSELF,
    **_TMUX_SERVERS,
    **_USAGE,
    **_AGENTS,
    **_SPENDING,
    **_LEFT_OVER,
    **_PENDING,
    **_OPERATIONS,
    **_HOST,
    **_REMEDIATOR,
    **_BUDGETS,
}
"""By alert; each has a row."""
