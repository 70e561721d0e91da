"""Faults of operations and of the host, and the service levels that they break."""

from tests.support.alert_faults.planted import ALL, CPU, FLEET_ITSELF, Planted

IN_WORK: tuple[Planted, ...] = (
    *(
        Planted(
            f"TmuxOperation{end}Slow",
            "operations of 11 s, eight at a time",
            {"instance": "fleet", "operation": "agent_command"},
            levels=ALL,
        )
        for end in ("", "Tail")
    ),
    Planted("TmuxOperationErrors", "operations that all fail",
        {"instance": "fleet", "operation": "status_check"}, levels=ALL),
    Planted("TmuxThroughputLow", "seventy operations a minute while nine are under way", FLEET_ITSELF),
    Planted("TmuxOperationsLost", "three reports that nobody can read", FLEET_ITSELF, ends=False),
    Planted("TmuxCommandErrors", "tmux commands for panes that do not exist", outside=True),
    Planted("TmuxHostCpuHigh", "what the tests take anyway", FLEET_ITSELF, levels=ALL,
        number=f"{CPU}; at the true ones it fired in a recorded hour", ends=False),
    Planted("TmuxHostMemoryHigh", "what the machine uses anyway", FLEET_ITSELF, levels=ALL,
        number="0.1 to 0.3 %: at the true figures the kernel ends processes of others", ends=False),
    Planted("TmuxHostNearLimit", "64 pseudo-terminals opened", {"instance": "fleet", "resource": "ptys"},
        levels=ALL, number="1 to 1.4 %: at the true figures nobody on the machine gets one", ends=False),
    Planted("TmuxHostDiskBusy", "a file written and synced fifty times a second", FLEET_ITSELF,
        number="2 %: the disk belongs to others too", ends=False),
    Planted("TmuxHostDiskFull", "a state folder on a file system of 8 MiB, filled", {"instance": "full"},
        levels=ALL),
    Planted("TmuxHostNetworkBusy", "11 Mbit/s on a tunnel of 10", {"instance": "fleet", "device": "slow0"}),
    Planted("TmuxErrorBudgetBurnsFast", "a quarter of all operations fails",
        {"instance": "fleet", "slo": "errors"}, levels=("critical", "warning"),
        number="a window of two hours instead of six", ends=False),
    Planted("TmuxErrorBudgetBurnsSlowly", "a quarter of all operations fails",
        {"instance": "fleet", "slo": "errors"},
        number="windows of two hours and one instead of a day and two hours", ends=False),
    Planted("TmuxErrorBudgetSpent", "a quarter of all operations fails",
        {"instance": "fleet", "slo": "errors"}, number="known for an hour instead of a week", ends=False),
)  # fmt: skip
