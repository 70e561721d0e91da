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
        for resource in ("pids", "user_pids", "cgroup_pids", "ptys", "inotify_instances"):
            yield Case(
                alert="TmuxHostNearLimit",
                series={
                    f"tmux_host_{resource}": (1, 1000 * limit + 1, 1000 * limit - 1),
                    f"tmux_host_{resource}_limit": (1000, 1000, 1000),
                },
                labels={"resource": resource},
                summary="A resource of the kernel is nearly used up.",
                says=f"{percent(limit + 0.001)} of the {resource} that the host of a:1 can "
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
    for (level, priority, hold), part in zip(LEVELS, (0.98, 0.95, 0.90), strict=True):
        left = 1000 - 1000 * part
        yield Case(
            alert="TmuxHostDiskFull",
            series={
                'tmux_host_filesystem_avail_bytes{mountpoint="/"}': (left + 9, left - 1, left + 1),
                'tmux_host_filesystem_size_bytes{mountpoint="/"}': (1000, 1000, 1000),
            },
            summary="A file system of the host is nearly full.",
            says=f"{percent(part + 0.001)} of the file system / of the host of a:1 is used.",
            priority=priority,
            hold=hold,
            threshold=level,
            labels={"mountpoint": "/"},
        )
        yield Case(
            alert="TmuxHostInodesFull",
            series={
                'tmux_host_filesystem_avail_inodes{mountpoint="/"}': (900, left - 1, left + 1),
                'tmux_host_filesystem_inodes{mountpoint="/"}': (1000, 1000, 1000),
            },
            summary="A file system of the host has hardly any inode left.",
            says=f"{percent(part + 0.001)} of the inodes of the file system / of the host of a:1 are used: "
            "without one there is no new file, however much space is left.",
            priority=priority,
            hold=hold,
            threshold=level,
            labels={"mountpoint": "/"},
        )
    yield Case(
        alert="TmuxHostOomKill",
        series={"tmux_host_oom_kills_total": (0, 1, 0)},
        priority="P2",
        hold="0s",
        over="9m45s",
        summary="The kernel has killed a process for memory.",
        says="The kernel of the host of a:1 has killed about 1 processes for memory within ten minutes.",
    )
    for resource, part in (("memory", 0.10), ("io", 0.80)):
        yield Case(
            alert="TmuxHostPressure",
            series={
                f'tmux_host_pressure_seconds_total{{resource="{resource}", kind="full"}}': (
                    0,
                    15 * (part + 0.001),
                    15 * (part - 0.001),
                ),
                f'tmux_host_pressure_seconds_total{{resource="{resource}", kind="some"}}': (0, 15, 15),
            },
            priority="P3",
            hold="10m",
            after=RATE,
            labels={"resource": resource},
            summary="All that the host could do waits for memory, or for a disk.",
            says=f"In {percent(part + 0.001)} of the time everything on the host of a:1 waited for "
            f"{resource}.",
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
