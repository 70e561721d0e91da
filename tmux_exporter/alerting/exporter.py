"""Alerts about the exporter itself: is it there, does it look, does it see everything."""

from tmux_exporter.alerting.base.scope import Rule, Scope


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        _watchdog(scope),
        _down(scope),
        _stale(scope),
        _partial(scope),
        _blind(scope),
        _collector(scope),
        _dropping(scope),
        _restarting(scope),
        _config_refused(scope),
    )


def _watchdog(scope: Scope) -> Rule:
    return {
        "alert": "Watchdog",
        "expr": "vector(1)",
        "labels": {"severity": "none"} | dict(scope.labels),
        "annotations": {
            "summary": "Alerts are evaluated and delivered.",
            "description": "This alert always fires. Whoever stops receiving it knows that Prometheus, "
            "Alertmanager or the way between them is broken.",
            "runbook_url": f"{scope.runbooks}/Watchdog.md",
        },
    }


def _down(scope: Scope) -> Rule:
    up = scope.series("up")
    return scope.alert(
        "TmuxExporterDown",
        "exporter_down",
        # Without any target there is no `up` that could be 0.
        f"{up} == 0 or absent({up})",
        summary="The exporter cannot be scraped.",
        description="{{ with $labels.instance }}Prometheus gets nothing from {{ . }}"
        "{{ else }}Prometheus knows no target{{ end }} of job {{ $labels.job }}: nobody sees what the "
        "sessions and agents there do, and no other alert about them can fire.",
    )


def _stale(scope: Scope) -> Rule:
    last = scope.series("tmux_exporter_last_sample_timestamp_seconds")
    interval = scope.series("tmux_exporter_sample_interval_seconds")
    return scope.alert(
        "TmuxExporterStale",
        "exporter_stale",
        f"time() - {last}\n> {scope.number('exporter_stale', 'intervals')} * {interval}",
        summary="The exporter answers but takes no samples.",
        description="The last sample of {{ $labels.instance }} was taken {{ $value | humanizeDuration }} "
        "ago. Everything it shows is that old.",
    )


def _partial(scope: Scope) -> Rule:
    over = scope.range("samples_partial", "over")
    name = "tmux_exporter_samples_total"
    bad, every = scope.series(name, 'result!="complete"'), scope.series(name)
    return scope.alert(
        "TmuxSamplesPartial",
        "samples_partial",
        f"sum by (job, instance) (rate({bad}[{over}]))\n"
        f"/ sum by (job, instance) (rate({every}[{over}]))\n"
        f"> {scope.number('samples_partial', 'ratio')}",
        summary="The exporter cannot see everything.",
        description="{{ $value | humanizePercentage }} of the samples of {{ $labels.instance }} are partial "
        "or failed: sessions, agents or processes may be missing from all figures.",
    )


def _blind(scope: Scope) -> Rule:
    over = scope.range("exporter_blind", "over")
    name = "tmux_exporter_samples_total"
    failed, seen = scope.series(name, 'result="failed"'), scope.series(name, 'result!="failed"')
    partial = scope.series(name, 'result="partial"')
    processes = scope.series("tmux_exporter_collector_success", 'collector="processes"')
    return scope.alert(
        "TmuxExporterBlind",
        "exporter_blind",
        f"(\n  increase({failed}[{over}]) > 0\n"
        f"  unless on (job, instance)\n    sum by (job, instance) (increase({seen}[{over}])) > 0\n)\n"
        # Without /proc, or a descriptor to read it by, a look ends in good order and shows nothing.
        f"or (\n  increase({partial}[{over}]) > 0\n  and on (job, instance) {processes} == 0\n)",
        summary="The exporter sees nothing at all.",
        description="No sample of {{ $labels.instance }} sees the processes, about "
        "{{ $value | humanize }} of late: what it shows is old, or missing.",
    )


def _collector(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxCollectorFailing",
        "collector_failing",
        f"{scope.series('tmux_exporter_collector_success')} == 0",
        summary="A part of the exporter fails.",
        description="The collector {{ $labels.collector }} of {{ $labels.instance }} fails: its figures are "
        "missing or old.",
    )


def _dropping(scope: Scope) -> Rule:
    dropped = scope.series("tmux_exporter_dropped_series_total")
    return scope.alert(
        "TmuxExporterDroppingSeries",
        "exporter_dropping",
        f"increase({dropped}[{scope.range('exporter_dropping', 'over')}])\n"
        f"> {scope.number('exporter_dropping', 'more_than')}",
        summary="The exporter leaves out series.",
        description="{{ $labels.instance }} has left out about {{ $value | humanize }} series of "
        "late: there are "
        "more than limits.series, or two of one name.",
    )


def _restarting(scope: Scope) -> Rule:
    start = scope.series("process_start_time_seconds")
    return scope.alert(
        "TmuxExporterRestarting",
        "exporter_restarting",
        f"changes({start}[{scope.range('exporter_restarting', 'within')}])\n"
        f"> {scope.number('exporter_restarting', 'more_than')}",
        summary="The exporter is started again and again.",
        description="{{ $labels.instance }} was restarted {{ $value }} times within the hour; its "
        "counters begin "
        "at 0 each time.",
    )


def _config_refused(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxExporterConfigRefused",
        "exporter_config_refused",
        f"{scope.series('tmux_exporter_config_last_reload_successful')} == 0",
        summary="The exporter runs with an old configuration.",
        description="{{ $labels.instance }} has refused its configuration file when it was told to read it "
        "again and goes on with the one before. After a restart it would not start.",
    )
