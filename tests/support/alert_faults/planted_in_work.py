"""Faults of operations and of the host, and the service levels that they break."""

from tests.support.alert_faults.planted import ALL, CPU, FLEET_ITSELF, Planted

IN_WORK: tuple[Planted, ...] = (
    *(
        Planted(
            alert=f"TmuxOperation{end}Slow",
            fault="operations of 11 s, eight at a time",
            labels={"instance": "fleet", "operation": "agent_command"},
            levels=ALL,
        )
        for end in ("", "Tail")
    ),
    Planted(
        alert="TmuxOperationErrors",
        fault="operations that all fail",
        labels={"instance": "fleet", "operation": "status_check"},
        levels=ALL,
    ),
    Planted(
        alert="TmuxThroughputLow",
        fault="seventy operations a minute while nine are under way",
        labels=FLEET_ITSELF,
    ),
    Planted(
        alert="TmuxOperationsLost",
        fault="three reports that nobody can read",
        labels=FLEET_ITSELF,
        ends=False,
    ),
    Planted(
        alert="TmuxCommandErrors",
        fault="tmux commands for panes that do not exist",
        outside=True,
    ),
    Planted(
        alert="TmuxHostCpuHigh",
        fault="what the tests take anyway",
        labels=FLEET_ITSELF,
        levels=ALL,
        number=f"{CPU}; at the true ones it fired in a recorded hour",
        ends=False,
    ),
    Planted(
        alert="TmuxHostMemoryHigh",
        fault="what the machine uses anyway",
        labels=FLEET_ITSELF,
        levels=ALL,
        number="0.1 to 0.3 %: at the true figures the kernel ends processes of others",
        ends=False,
    ),
    Planted(
        alert="TmuxHostNearLimit",
        fault="64 pseudo-terminals opened",
        labels={"instance": "fleet", "resource": "ptys"},
        levels=ALL,
        number="1 to 1.4 %: at the true figures nobody on the machine gets one",
        ends=False,
    ),
    Planted(
        alert="TmuxHostDiskBusy",
        fault="a file written and synced fifty times a second",
        labels=FLEET_ITSELF,
        number="2 %: the disk belongs to others too",
        ends=False,
    ),
    Planted(
        alert="TmuxHostDiskFull",
        fault="a state folder on a file system of 8 MiB, filled",
        labels={"instance": "full"},
    ),
    Planted(
        alert="TmuxHostNetworkBusy",
        fault="11 Mbit/s on a tunnel of 10",
        labels={"instance": "fleet", "device": "slow0"},
    ),
    Planted(
        alert="TmuxErrorBudgetBurnsFast",
        fault="a quarter of all operations fails",
        labels={"instance": "fleet", "slo": "errors"},
        levels=("critical", "warning"),
        number="a window of two hours instead of six",
        ends=False,
    ),
    Planted(
        alert="TmuxErrorBudgetBurnsSlowly",
        fault="a quarter of all operations fails",
        labels={"instance": "fleet", "slo": "errors"},
        number="windows of two hours and one instead of a day and two hours",
        ends=False,
    ),
    Planted(
        alert="TmuxErrorBudgetSpent",
        fault="a quarter of all operations fails",
        labels={"instance": "fleet", "slo": "errors"},
        number="known for an hour instead of a week",
        ends=False,
    ),
)
