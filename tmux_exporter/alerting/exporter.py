"""Alerts about the exporter itself: is it there, does it look, does it see everything."""

from tmux_exporter.alerting.scope import Rule, Scope


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (_watchdog(scope), _down(scope), _stale(scope), _partial(scope), _config_refused(scope))


def _watchdog(scope: Scope) -> Rule:
    return {
        "alert": "Watchdog",
        "expr": "vector(1)",
        "labels": {"severity": "none"},
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


def _config_refused(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxExporterConfigRefused",
        "exporter_config_refused",
        f"{scope.series('tmux_exporter_config_last_reload_successful')} == 0",
        summary="The exporter runs with an old configuration.",
        description="{{ $labels.instance }} has refused its configuration file when it was told to read it "
        "again and goes on with the one before. After a restart it would not start.",
    )
