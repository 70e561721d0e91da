"""What judging schedulers and leaks adds to an idle sample: `python -m bench.classification [PROCESSES]`.

CPU time of this thread, the best of many samples over one table: 50 panes with an agent each, a twentieth of
all processes shells with a script, 40 schedulers, half of them lost, 20 processes left by a pane that is
gone.
"""

import sys
import time
from collections.abc import Callable

from tests.support.literals.facts import answering, pane, process, table, tmux_environ, tmux_server, tmux_view
from tmux_exporter.analysis.leaks.find import LeakFinder, LeakSample, find_orphans
from tmux_exporter.analysis.leaks.origins import pane_processes
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.schedulers.candidates import ScriptReader
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.facts.process import LeakDetails, Process, ProcessTable
from tmux_exporter.facts.tmux import TmuxView

SAMPLES = 300
PANES, CHECK_INS, LEFT = 50, 40, 20
BASH = "/usr/bin/bash"


def machine(size: int) -> tuple[ProcessTable, TmuxView]:
    """A machine with so many processes."""
    server = tmux_server(100)
    panes = [pane(f"%{number}", 1000 + number) for number in range(PANES)]
    found: list[Process] = [server]
    for number in range(PANES):
        environ = tmux_environ(100, f"%{number}")
        found.append(process(1000 + number, 100, argv=("bash",), exe=BASH, environ=environ))
        found.append(
            process(2000 + number, 1000 + number, argv=("claude",), exe="/opt/claude", environ=environ)
        )
    for number in range(CHECK_INS):
        aim = f"%{number}" if number % 2 else f"gone-{number}:0"
        script = f"sleep 1800 && tmux send-keys -t {aim} 'Check!' && sleep 1 && tmux send-keys -t {aim} Enter"
        environ = tmux_environ(100, f"%{number}")
        shell = 3000 + 2 * number
        found.append(process(shell, 1, argv=("bash", "-c", script), exe=BASH, environ=environ))
        found.append(process(shell + 1, shell, argv=("sleep", "1800"), exe="/usr/bin/sleep", environ=environ))
    for number in range(LEFT):
        gone = tmux_environ(100, f"%{900 + number}")
        argv = ("node", f"/srv/node_modules/@scope/server-{number}/index.js")
        found.append(process(4000 + number, 1, argv=argv, exe="/usr/bin/node", environ=gone))
    for number in range(size - len(found)):
        shell = number % 20 == 0
        words: tuple[str, ...] = (
            ("sh", "-c", f"make -C /srv/{number}") if shell else ("worker", f"--number={number}")
        )
        exe = "/usr/bin/dash" if shell else "/usr/bin/worker"
        found.append(process(10_000 + number, 1, argv=words, exe=exe))
    return table(*found), tmux_view(answering(server, *panes))


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the quickest run."""
    times = []
    for _ in range(SAMPLES):
        before = time.thread_time()
        work()
        times.append(time.thread_time() - before)
    return min(times)


def main() -> None:
    """Measure and print."""
    seen, tmux = machine(int(sys.argv[1]) if len(sys.argv) > 1 else 3500)
    owners = attribute(seen, tmux, {})
    scripts, book = ScriptReader(), LeakFinder()
    schedulers = find_schedulers(seen, owners, tmux, "/tmp/x", 2000.0, candidates=scripts.candidates(seen))

    def judge_leaks() -> int:
        book.observe(tmux, {})
        outlived = find_orphans(seen, owners)
        look = LeakSample(
            table=seen,
            owners=owners,
            orphans=outlived,
            schedulers=schedulers,
            signatures=SIGNATURES,
            leak_details=facts,
            folders={key: f"/srv/{key.pane}" for key in pane_processes(seen, tmux)},
        )
        return len(book.find(look).found)

    facts = {each: LeakDetails(unit="", listens=False) for each in find_orphans(seen, owners).to_read}
    judge_leaks()
    scheduler_time = best(
        lambda: find_schedulers(seen, owners, tmux, "/tmp/x", 2000.0, candidates=scripts.candidates(seen))
    )
    leak_time = best(judge_leaks)
    print(f"{len(seen.processes)} processes, {len(schedulers)} schedulers, {judge_leaks()} leaked")
    print(f"schedulers {scheduler_time * 1000:.2f} ms, leaks {leak_time * 1000:.2f} ms")


if __name__ == "__main__":
    main()
