"""Faults of exporters and remediators."""

from tests.support.alert_faults.planted import FLEET_ITSELF, Planted

IN_HOUSE: tuple[Planted, ...] = (
    Planted(alert="Watchdog", fault="none", ends=False),
    Planted(alert="TmuxExporterDown", fault="an exporter killed", labels={"instance": "falling"}),
    Planted(
        alert="TmuxExporterRestarting",
        fault="an exporter killed and started again four times",
        labels={"instance": "falling"},
        ends=False,
    ),
    Planted(
        alert="TmuxExporterStale",
        fault="the sampling thread of an exporter stopped (ptrace)",
        labels={"instance": "frozen"},
    ),
    Planted(
        alert="TmuxExporterBlind",
        fault="an exporter without a file descriptor left",
        labels={"instance": "starved"},
    ),
    Planted(
        alert="TmuxCollectorFailing",
        fault="an exporter without a file descriptor left",
        labels={"instance": "starved", "collector": "processes"},
    ),
    Planted(alert="TmuxSamplesPartial", fault="a tmux server stopped", labels=FLEET_ITSELF),
    Planted(alert="TmuxExporterDroppingSeries", fault="`limits.series: 100`", labels={"instance": "small"}),
    Planted(
        alert="TmuxExporterConfigRefused",
        fault="SIGHUP after a mistake was written into the file",
        labels={"instance": "small"},
    ),
    Planted(
        alert="TmuxRemediatorActed",
        fault="a scheduler for no session ended by it",
        labels={"instance": "fleet", "policy": "acts"},
        ends=False,
    ),
    Planted(
        alert="TmuxRemediatorRefusing",
        fault="a policy without any budget",
        labels={"instance": "held", "policy": "spent"},
        ends=False,
    ),
    Planted(
        alert="TmuxRemediatorBreakerOpen",
        fault="a policy that believes in no match at all (`max_match`, `on_exceed: abort`)",
        labels={"instance": "held", "policy": "startled"},
        ends=False,
    ),
    Planted(
        alert="TmuxRemediatorPoliciesRefused",
        fault="SIGHUP after a mistake was written into its policies",
        labels={"instance": "full"},
    ),
    Planted(alert="TmuxRemediatorDown", fault="a remediator killed", labels={"instance": "held"}),
    Planted(
        alert="TmuxRemediatorBlind",
        fault="the `/proc` of a remediator unmounted",
        labels={"instance": "held"},
        ends=False,
    ),
    Planted(
        alert="TmuxRemediatorAuditUnhealthy",
        fault="a state folder on a file system that is full",
        labels={"instance": "full"},
    ),
)
