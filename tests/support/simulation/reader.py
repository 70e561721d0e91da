"""A reader of the simulated kernel that takes its time, and the mischief that goes on meanwhile."""

from collections.abc import Callable, Sequence

from tests.support.simulation.kernel import INIT, TICK_NS, SimulatedKernel
from tmux_exporter.facts.process import ProcessTable


def read_table(
    kernel: SimulatedKernel,
    between: Callable[[], None] = lambda: None,
    order: Callable[[list[int]], Sequence[int]] = lambda pids: pids,
) -> ProcessTable:
    """List all processes, then look at one after the other in this order; anything may happen `between`.

    `between` runs before each look, and within it between the line of stat and the accounts of I/O. What is
    gone when it is looked at is left out, as the reader of /proc does.
    """
    listed = order(kernel.pids())
    taken_at = kernel.now_ns / 1e9
    processes = {}
    for pid in listed:
        between()
        process = kernel.read(pid, between)
        if process is not None:
            processes[pid] = process
    return ProcessTable(
        processes=processes, boot_time=0.0, clock_ticks_per_second=1_000_000_000 // TICK_NS, taken_at=taken_at
    )


DEEDS = (
    "run", "fork", "end", "wait", "exit", "run", "short life", "fork", "end", "fork twice", "run", "advance",
    "exec", "setsid", "subreap", "ignore",
)  # fmt: skip

MORE_DEEDS = (*DEEDS, "terminal", "foreground", "hang up", "thread", "leave group")
"""These too; they change nothing that is counted."""


class Mischief:
    """Lets the processes of a kernel do what a tape of bytes says; each step is (what, who, how much).

    The processes in `spared` and init neither end nor change their manners, and init starts nothing: what it
    holds are orphans. Nobody forks while there are `most` processes.
    """

    def __init__(
        self,
        kernel: SimulatedKernel,
        tape: bytes,
        *,
        deeds: Sequence[str] = DEEDS,
        spared: frozenset[int] = frozenset(),
        most: int = 20,
    ) -> None:
        self.kernel = kernel
        self._tape = iter(tape)
        self._deeds = deeds
        self._spared = spared | {INIT}
        self._most = most

    def step(self) -> bool:
        """Do the next thing; False at the end of the tape."""
        what, who, much = (next(self._tape, None) for _ in range(3))
        if what is None or who is None or much is None:
            return False
        living = self.kernel.living()
        self._do(self._deeds[what % len(self._deeds)], living[who % len(living)], much)
        return True

    def _do(self, deed: str, pid: int, much: int) -> None:
        kernel = self.kernel
        if deed in ("ignore", "subreap", "exit", "end") and pid in self._spared:
            return
        crowd = sum(1 + len(task.threads) for task in kernel.tasks.values())
        if deed in ("fork", "fork twice", "short life", "thread") and (pid == INIT or crowd >= self._most):
            return
        match deed:
            case "run":
                self._run(pid, much)
            case "fork":
                kernel.fork(pid)
            case "exit":
                kernel.exit(pid)
            case "wait":
                kernel.wait(pid)
            case "end":
                parent = kernel.tasks[pid].ppid
                kernel.exit(pid)
                kernel.wait(parent, pid)
            case "fork twice":
                between = kernel.fork(pid)
                kernel.fork(between)
                kernel.exit(between)
                kernel.wait(pid, between)
            case "short life":
                child = kernel.fork(pid)
                self._run(child, much)
                kernel.exit(child)
                kernel.wait(pid, child)
            case "ignore":
                kernel.ignore(pid, ignores=much % 2 == 0)
            case "subreap":
                kernel.subreap(pid)
            case "exec":
                kernel.exec(pid, f"program{much}")
            case "setsid":
                kernel.setsid(pid)
            case "advance":
                kernel.advance(1 + much)
            case "terminal":
                kernel.open_terminal(pid, 1 + much % 3)
            case "foreground":
                kernel.foreground(pid)
            case "hang up":
                kernel.hang_up(1 + much % 3)
            case "thread":
                kernel.thread(pid)
            case "leave group":
                kernel.leave_group(pid)
            case _:
                raise ValueError(deed)

    def _run(self, pid: int, much: int) -> None:
        # From a part of a tick to a long life; the low bits say user or system, and I/O.
        span = (much >> 2) ** 3 * TICK_NS // 500
        user, system = (span, 0) if much & 1 else (0, span)
        read, written = (much * 10, much) if much & 2 else (0, 0)
        self.kernel.run(pid, user, system, read=read, written=written)
