"""What outlived its pane."""

from collections.abc import Iterator

from alerts.cases.parts import OF, SESSION
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    yield Case(
        alert="TmuxLeakedMemory",
        series={
            f'tmux_leaked_memory_bytes{{{SESSION}, kind="shell_job"}}': (0, 2**29, 2**29),
            f'tmux_leaked_memory_bytes{{{SESSION}, kind="agent"}}': (0, 2**29 + 2**20, 2**29),
        },
        priority="P3",
        hold="15m",
        labels=OF["server"],
        summary="Leaked processes hold much memory.",
        says="Processes that outlived their panes of tmux server d on a:1 hold 1.001GiB of memory.",
    )
