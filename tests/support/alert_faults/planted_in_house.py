"""Faults of exporters and remediators."""

from tests.support.alert_faults.planted import FLEET_ITSELF, Planted

IN_HOUSE: tuple[Planted, ...] = (
    Planted("Watchdog", "none", ends=False),
    Planted("TmuxExporterDown", "an exporter killed", {"instance": "falling"}),
    Planted("TmuxExporterRestarting", "an exporter killed and started again four times",
        {"instance": "falling"}, ends=False),
    Planted("TmuxExporterStale", "the sampling thread of an exporter stopped (ptrace)",
        {"instance": "frozen"}),
    Planted("TmuxExporterBlind", "an exporter without a file descriptor left", {"instance": "starved"}),
    Planted("TmuxCollectorFailing", "an exporter without a file descriptor left",
        {"instance": "starved", "collector": "processes"}),
    Planted("TmuxSamplesPartial", "a tmux server stopped", FLEET_ITSELF),
    Planted("TmuxExporterDroppingSeries", "`limits.series: 100`", {"instance": "small"}),
    Planted("TmuxExporterConfigRefused", "SIGHUP after a mistake was written into the file",
        {"instance": "small"}),
    Planted("TmuxRemediatorActed", "a scheduler for no session ended by it",
        {"instance": "fleet", "policy": "acts"}, ends=False),
    Planted("TmuxRemediatorRefusing", "a policy without any budget", {"instance": "held", "policy": "spent"},
        ends=False),
    Planted("TmuxRemediatorBreakerOpen",
        "a policy that believes in no match at all (`max_match`, `on_exceed: abort`)",
        {"instance": "held", "policy": "startled"}, ends=False),
    Planted("TmuxRemediatorHoldsLong", "a leaked process paused for an hour",
        {"instance": "held", "policy": "holds"}, number="within an hour instead of four"),
    Planted("TmuxRemediatorPoliciesRefused", "SIGHUP after a mistake was written into its policies",
        {"instance": "full"}),
    Planted("TmuxRemediatorDown", "a remediator killed", {"instance": "held"}),
    Planted("TmuxRemediatorBlind", "the `/proc` of a remediator unmounted", {"instance": "held"}, ends=False),
    Planted("TmuxRemediatorAuditUnhealthy", "a state folder on a file system that is full",
        {"instance": "full"}),
)  # fmt: skip
