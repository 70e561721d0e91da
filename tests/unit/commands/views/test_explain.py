"""What `explain` says of the bounds of a process."""

from tmux_exporter.commands.views.explain import bounds_words
from tmux_exporter.facts.cgroups import CgroupBounds, CgroupPlace
from tmux_exporter.facts.process import ProcessId

TOOL = ProcessId(4711, 9)
LEASE = ("user.slice", "tmux-remediator-4711-9-60.scope")


def words(**bounds: int) -> str:
    return bounds_words(TOOL, CgroupPlace(path=LEASE, bounds=CgroupBounds(**bounds)))


def test_a_process_that_is_throttled_is_told_with_its_bounds_and_where_it_is() -> None:
    assert words(memory_high=224 << 20, cpu_percent=50, tasks_max=100) == (
        "process 4711, in tmux-remediator-4711-9-60.scope: memory.high 224.0 MiB, CPU 50 %, tasks 100"
    )


def test_the_number_of_tasks_that_every_scope_has_is_no_bound_to_tell() -> None:
    assert words(tasks_max=4915) == words() == ""
