"""The host."""

from collections.abc import Iterator
from typing import Any

from alerts.cases.parts import LEVELS, RATE, percent
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    for (level, priority, hold), cpu, memory, limit in zip(
        LEVELS, (0.95, 0.85, 0.80), (0.95, 0.90, 0.85), (0.95, 0.90, 0.75), strict=True
    ):
        at: dict[str, Any] = {"priority": priority, "hold": hold, "threshold": level}
        yield Case(
            alert="TmuxHostCpuHigh",
            series={
                'tmux_host_cpu_seconds_total{mode="user"}': (1, 30 * (cpu + 0.001), 30 * (cpu - 0.001)),
                'tmux_host_cpu_seconds_total{mode="idle"}': (29, 30 * (0.999 - cpu), 30 * (1.001 - cpu)),
            },
            after=RATE,
            summary="The host has hardly any CPU left.",
            says=f"{percent(cpu + 0.001)} of the CPU of the host of a:1 is used.",
            **{**at, "priority": "P4", "hold": "30m"},
        )
        yield Case(
            alert="TmuxHostMemoryHigh",
            series={
                "tmux_host_memory_available_bytes": (900, 1000 * (0.999 - memory), 1000 * (1.001 - memory)),
                "tmux_host_memory_bytes": (1000, 1000, 1000),
            },
            summary="The host has hardly any memory left.",
            says=f"{percent(memory + 0.001)} of the memory of the host of a:1 is used.",
            **at,
        )
        for resource in ("pids", "ptys", "inotify_instances"):
            yield Case(
                alert="TmuxHostNearLimit",
                series={
                    f"tmux_host_{resource}": (1, 1000 * limit + 1, 1000 * limit - 1),
                    f"tmux_host_{resource}_limit": (1000, 1000, 1000),
                },
                labels={"resource": resource},
                summary="A resource of the kernel is nearly used up.",
                says=f"{percent(limit + 0.001)} of the {resource} that the kernel of the host of a:1 can "
                "give out are in use; at 100 % no program, pane or watch can be started.",
                **at,
            )
    p3 = {"priority": "P3", "hold": "15m"}
    yield Case(
        alert="TmuxHostDiskBusy",
        series={'tmux_host_disk_io_seconds_total{device="sda"}': (1, 12.015, 11.985)},
        after=RATE,
        labels={"device": "sda"},
        summary="A disk of the host is busy nearly all the time.",
        says="Disk sda of the host of a:1 had work at hand in 80.1% of the time.",
        **p3,
    )
    yield Case(
        alert="TmuxHostDiskFull",
        series={
            'tmux_host_filesystem_avail_bytes{mountpoint="/"}': (900, 99, 101),
            'tmux_host_filesystem_size_bytes{mountpoint="/"}': (1000, 1000, 1000),
        },
        labels={"mountpoint": "/"},
        summary="A file system of the host is nearly full.",
        says="90.1% of the file system / of the host of a:1 is used.",
        **p3,
    )
    yield Case(
        alert="TmuxHostNetworkBusy",
        series={
            'tmux_host_network_receive_bytes_total{device="eth0"}': (1, 10515, 10485),
            'tmux_host_network_transmit_bytes_total{device="eth0"}': (1, 1, 1),
            'tmux_host_network_speed_bytes{device="eth0"}': (1000, 1000, 1000),
        },
        after=RATE,
        labels={"device": "eth0"},
        summary="A network link of the host is nearly full.",
        says="70.1% of the speed of eth0 of the host of a:1 is used in one direction; where the speed of "
        "the link is not known, of 1 Gbit/s.",
        **p3,
    )
