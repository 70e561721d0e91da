"""The exporter itself."""

from collections.abc import Iterator

from alerts.cases.parts import RATE
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    yield Case(
        alert="TmuxExporterBlind",
        series={
            'tmux_exporter_samples_total{result="complete"}': (3, 0, 1),
            'tmux_exporter_samples_total{result="partial"}': (0, 0, 0),
            'tmux_exporter_samples_total{result="failed"}': (0, 3, 2),
        },
        priority="P2",
        hold="5m",
        before="6m",
        after=RATE,
        labels={"result": "failed"},
        summary="The exporter sees nothing at all.",
        says="No sample of a:1 sees the processes, about 60 of late: what it shows is old, or missing.",
    )
    yield Case(
        alert="TmuxExporterBlind",
        series={
            'tmux_exporter_samples_total{result="complete"}': (3, 0, 0),
            'tmux_exporter_samples_total{result="partial"}': (0, 3, 3),
            'tmux_exporter_samples_total{result="failed"}': (0, 0, 0),
            'tmux_exporter_collector_success{collector="processes"}': (1, 0, 1),
            'tmux_exporter_collector_success{collector="host"}': (1, 0, 0),
        },
        priority="P2",
        hold="5m",
        before="6m",
        lasts="11m",
        labels={"result": "partial"},
        summary="The exporter sees nothing at all.",
        says="No sample of a:1 sees the processes, about 60 of late: what it shows is old, or missing.",
    )
    yield Case(
        alert="TmuxCollectorFailing",
        series={'tmux_exporter_collector_success{collector="host"}': (1, 0, 1)},
        priority="P3",
        hold="15m",
        labels={"collector": "host"},
        summary="A part of the exporter fails.",
        says="The collector host of a:1 fails: its figures are missing or old.",
    )
    yield Case(
        alert="TmuxExporterDroppingSeries",
        series={"tmux_exporter_dropped_series_total": (0, 0.02, 0)},
        priority="P3",
        hold="15m",
        before="11m",
        over="9m45s",
        lasts="20m",
        summary="The exporter leaves out series.",
        says="a:1 has left out about 800m series of late: there are more than limits.series, or two of "
        "one name.",
    )
