"""Weakened rules, each with an ordinary day that must notice it."""

from alerts.days.play import Mutant

_BUILDS = "builds, tests, quits, renames, restarts of everything"
_LAPTOP = "a laptop that sleeps"
_CHANGES = '\nand changes(tmux_exporter_last_sample_timestamp_seconds{job="tmux"}[5m]) == 0'

MUTANTS = (
    Mutant(day="an empty tmux in the evening", alert="TmuxServerEnded", old="[5m]) == 1", new="[5m])"),
    Mutant(day=_LAPTOP, alert="TmuxExporterDown", old=', always_on="yes"'),
    Mutant(day=_LAPTOP, alert="TmuxExporterAway", new="1h"),
    Mutant(day=_LAPTOP, alert="TmuxExporterStale", old=_CHANGES),
    Mutant(day=_BUILDS, alert="TmuxAgentsAllAbsent", new="0s"),
    Mutant(day=_BUILDS, alert="TmuxAgentAbsent", new="0s"),
    Mutant(day=_BUILDS, alert="TmuxAgentNearCpuLimit", level="warning", new="1m"),
    Mutant(
        day="few operations", alert="TmuxErrorBudgetBurnsFast", level="critical", old="< 30 / 3600", new="< 0"
    ),
    Mutant(day="every phase at 60 s", alert="TmuxExporterStale", old=_CHANGES),
)
