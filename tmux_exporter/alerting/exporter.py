"""Alerts about the exporter itself: reachable, sampling, seeing everything."""

from tmux_exporter.alerting.base.alert import Alert, kept
from tmux_exporter.alerting.base.scope import Rule, Scope, quoted
from tmux_exporter.alerting.recording.hosts import CLOCK_BEHIND


def watchdog(scope: Scope) -> Rule:
    """The alert that always fires: a dead man's switch."""
    return {
        "alert": "Watchdog",
        "expr": "vector(1)",
        "labels": {"severity": "none"} | dict(scope.labels),
        "annotations": scope.annotations(
            "Watchdog",
            "Alerts are evaluated and delivered.",
            "This alert always fires. Whoever stops receiving it knows that Prometheus, Alertmanager or the "
            "way between them is broken.",
        ),
    }


ALWAYS_ON = 'always_on="yes"'
"""The label of a target whose host is declared to be always on."""

_SAMPLED = "tmux_exporter_last_sample_timestamp_seconds{}"
_INTERVAL = "tmux_exporter_sample_interval_seconds{}"
_BEHIND = f"{CLOCK_BEHIND}{{}}"

ALERTS = (
    Alert(
        "TmuxExporterDown",
        "exporter_down",
        # Without any target there is no `up` that could be 0.
        f"up{{{ALWAYS_ON}}} == 0 or absent(up{{}})",
        "The exporter cannot be scraped.",
        lambda scope: (
            "{{ with $labels.instance }}Prometheus gets nothing from {{ . }}"
            "{{ else }}Prometheus knows no target{{ end }} of job "
            f"{{{{ or $labels.job {quoted(scope.job)} }}}}: nobody sees what the sessions and agents there "
            "do, and no other alert about them can fire."
        ),
    ),
    Alert(
        "TmuxExporterAway",
        "exporter_away",
        f"up{{}} == 0 unless up{{{ALWAYS_ON}}}",
        "The exporter of a host that may sleep has been away for long.",
        "Prometheus has got nothing from {{ $labels.instance }} for most of a day. If its host is to be "
        "always on, give its target the label always_on.",
    ),
    Alert(
        "TmuxExporterSkipsSamples",
        "exporter_skips",
        """
        sum without (result) (rate(tmux_exporter_samples_total{}[$over]))
        * avg_over_time(tmux_exporter_sample_tick_seconds{}[$over])
        < $ratio
        and changes(process_start_time_seconds{}[$over]) == 0
        """,
        "The exporter takes samples less often than they are due.",
        "{{ $labels.instance }} takes {{ $value | humanizePercentage }} of the samples that are due: it "
        "or its host is too slow, and what lives shortly is not seen.",
    ),
    Alert(
        "TmuxExporterStale",
        "exporter_stale",
        f"time() - {kept(_SAMPLED)}\n> $intervals * {kept(_INTERVAL)}\nand changes({_SAMPLED}[$over]) == 0",
        "The exporter answers but takes no samples.",
        "The last sample of {{ $labels.instance }} was taken {{ $value | humanizeDuration }} "
        "ago. Everything it shows is that old.",
    ),
    Alert(
        "TmuxExporterClockWrong",
        "clock_skew",
        # A new sample is no older than the interval of scrapes or of samples.
        f"""
        (
          {_BEHIND} > $behind
          and {_BEHIND} > $intervals * {kept(_INTERVAL, indent=10)}
          or {_BEHIND} < -$ahead
        )
        and changes({_SAMPLED}[$over]) > 0
        """,
        "The clock of an exporter and that of Prometheus differ.",
        "The clock of {{ $labels.instance }} is {{ $value | humanizeDuration }} behind that of Prometheus "
        "(with a minus: ahead). Times of waiting, of leaks and of schedulers are wrong by as much.",
    ),
    Alert(
        "TmuxSamplesPartial",
        "samples_partial",
        """
        sum without (result) (rate(tmux_exporter_samples_total{result!="complete"}[$over]))
        / sum without (result) (rate(tmux_exporter_samples_total{}[$over]))
        > $ratio
        """,
        "The exporter cannot see everything.",
        "{{ $value | humanizePercentage }} of the samples of {{ $labels.instance }} are partial "
        "or failed: sessions, agents or processes may be missing from all figures.",
    ),
    Alert(
        "TmuxExporterBlind",
        "exporter_blind",
        # Without /proc, or a descriptor to read it by, a sample ends in good order and shows nothing.
        """
        (
          increase(tmux_exporter_samples_total{result="failed"}[$over]) > 0
          unless on (job, instance)
            sum without (result) (increase(tmux_exporter_samples_total{result!="failed"}[$over])) > 0
        )
        or (
          increase(tmux_exporter_samples_total{result="partial"}[$over]) > 0
          and on (job, instance) """
        + kept('tmux_exporter_collector_success{collector="processes"}', indent=10)
        + """ == 0
        )
        """,
        "The exporter sees nothing at all.",
        "No sample of {{ $labels.instance }} sees the processes, about "
        "{{ $value | humanize }} of late: what it shows is old, or missing.",
    ),
    Alert(
        "TmuxCollectorFailing",
        "collector_failing",
        f"{kept('tmux_exporter_collector_success{}')} == 0",
        "A part of the exporter fails.",
        "The collector {{ $labels.collector }} of {{ $labels.instance }} fails: its figures are "
        "missing or old.",
    ),
    Alert(
        "TmuxExporterDroppingSeries",
        "exporter_dropping",
        "increase(tmux_exporter_dropped_series_total{}[$over])\n> $more_than",
        "The exporter leaves out series.",
        "{{ $labels.instance }} has left out about {{ $value | humanize }} series of late: there are more "
        "than limits.series, or two of one name.",
    ),
    Alert(
        "TmuxExporterRestarting",
        "exporter_restarting",
        "changes(process_start_time_seconds{}[$within])\n> $more_than",
        "The exporter is started again and again.",
        "{{ $labels.instance }} was restarted {{ $value }} times within the hour; its counters begin at 0 "
        "each time.",
    ),
    Alert(
        "TmuxExporterConfigRefused",
        "exporter_config_refused",
        f"{kept('tmux_exporter_config_last_reload_successful{}')} == 0",
        "The exporter runs with an old configuration.",
        "{{ $labels.instance }} has refused its configuration file when it was told to read it "
        "again and goes on with the one before. After a restart it would not start.",
    ),
)
