"""The library in real programs, and what arrives of it: threads, forks, asyncio, storms, restarts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tests.support.programs.op_listener import OpListener
from tests.support.wait import wait_for
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.wire.operation_line import FAILURES


def test_a_context_counts_what_happened_in_it(listener: OpListener) -> None:
    listener.run("""
        from tmux_exporter.instrument import operation
        with operation("status_check"):
            pass
        with operation("status_check") as op:
            op.retry(); op.retry(); op.fail("refused")
        assert (op.succeeded, op.failure) == (False, "refused") and op.duration_seconds < 5
        with operation("status_check") as op:
            op.fail("because I say so")
        kept = [bytearray(1 << 20)]
        with operation("agent_command") as op:
            kept.append(bytearray(b"x" * (64 << 20)))
        assert op.memory_change_bytes > 32 << 20 and op.succeeded
    """)
    found = listener.wait_for_count("status_check", 3)
    assert found.errors == {**dict.fromkeys(FAILURES, 0), "refused": 1, "other": 1}
    assert (found.retries_total, found.in_flight) == (2, 0)
    grown = listener.wait_for_count("agent_command", 1)
    assert grown.memory_grown_bytes_total - grown.memory_shrunk_bytes_total > 32 << 20
    assert listener.settled_loss() == {}


RAISED = """
    import asyncio, subprocess, sys
    from tmux_exporter.instrument import operation
    for error in [{error}]:
        try:
            with operation("recovery") as op:
                raise error
        except BaseException as same:
            assert same is error
        else:
            raise AssertionError("swallowed")
"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ValueError('secret')", "exception"), ("TimeoutError()", "timeout"),
        ("asyncio.TimeoutError()", "timeout"), ("subprocess.TimeoutExpired('x', 1)", "timeout"),
        ("subprocess.CalledProcessError(1, 'x')", "exit_status"), ("ConnectionRefusedError()", "refused"),
        ("SystemExit(3)", "exit_status"), ("SystemExit(0)", None), ("KeyboardInterrupt()", "other"),
        ("asyncio.CancelledError()", "other"),
    ],
)  # fmt: skip
def test_an_exception_is_reported_and_raised_on(listener: OpListener, error: str, reason: str | None) -> None:
    listener.run(RAISED.format(error=error))
    errors = listener.wait_for_count("recovery", 1).errors
    assert {name for name, count in errors.items() if count} == ({reason} if reason else set())


def test_decorated_functions_stay_what_they_were(listener: OpListener) -> None:
    listener.run("""
        import asyncio, inspect
        from tmux_exporter.instrument import operation

        @operation("scheduling")
        def plain(a, *, b=2):
            "Says what it does."
            return a + b

        @operation("scheduling")
        async def coroutine(a):
            await asyncio.sleep(0)
            return a

        @operation("scheduling")
        def generator():
            got = yield 1
            yield got
            return 3

        @operation("scheduling")
        async def async_generator():
            yield 1

        class Agent:
            @operation("scheduling")
            def method(self): return self

        assert plain(1, b=4) == 5 and plain.__doc__ == "Says what it does." and plain.__name__ == "plain"
        assert inspect.iscoroutinefunction(coroutine) and inspect.isgeneratorfunction(generator)
        assert inspect.isasyncgenfunction(async_generator)
        it = generator()
        assert next(it) == 1 and it.send("two") == "two"
        try:
            next(it)
        except StopIteration as end:
            assert end.value == 3
        agent = Agent()
        assert agent.method() is agent

        async def main():
            assert await asyncio.gather(*(coroutine(n) for n in range(7))) == list(range(7))
            async with operation("scheduling") as op:
                op.retry()
        asyncio.run(main())

        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)
        fib = operation("agent_command")(fib)
        assert fib(4) == 3  # calls itself by its decorated name: 9 calls
    """)
    assert listener.wait_for_count("scheduling", 11).retries_total == 1
    assert listener.wait_for_count("agent_command", 9).duration.count == 9
    assert listener.figures("scheduling").in_flight == 0


def test_threads_and_forks_each_count_once(listener: OpListener) -> None:
    listener.run("""
        import os, threading
        from tmux_exporter.instrument import operation

        def work():
            for _ in range(50):
                with operation("agent_command"):
                    done.wait(0.0005)
        done = threading.Event()
        threads = [threading.Thread(target=work) for _ in range(4)]
        [each.start() for each in threads]
        [each.join() for each in threads]

        for _ in range(5):
            with operation("recovery"):
                child = os.fork()
                if child == 0:
                    with operation("status_check"):
                        pass
            if child == 0:
                os._exit(0)  # has left the operation of its parent, which only the parent reports
            os.waitpid(child, 0)
    """)
    wait_for(lambda: listener.figures("recovery").duration.count >= 5, "the parent reports")
    lost = listener.settled_loss().get(OperationLoss.DROPPED, 0)
    counts = [listener.figures(name).duration.count for name in ("agent_command", "recovery", "status_check")]
    assert counts[1:] == [5, 5] or lost
    # A report is a begin or an end; which of both a full queue refused cannot be told.
    assert 200 - lost <= counts[0] <= 200
    if not lost:
        assert listener.figures("agent_command").in_flight == 0


STORM = """
    import sys, time
    from tmux_exporter.instrument import operation
    ends = time.monotonic() + float(sys.argv[1])
    count, slowest = 0, 0.0
    while time.monotonic() < ends:
        before = time.thread_time()
        with operation("status_check", memory=False):
            pass
        slowest = max(slowest, time.thread_time() - before)
        count += 1
    with operation("recovery"):
        time.sleep(1)  # the storm is over: this arrives, and with it the number of the last report
    print(count, slowest)
"""


def test_a_storm_blocks_nobody_and_every_loss_is_counted(tmp_path: Path) -> None:
    listener = OpListener(tmp_path, most_per_second=200)
    count, slowest = listener.run(STORM, "1.0").split()
    listener.wait_for_count("recovery", 1)
    lost = listener.settled_loss()
    assert lost.keys() <= {OperationLoss.DROPPED}
    # An operation of the storm is two reports, of which each is either counted or lost.
    ends, missing = listener.figures("status_check").duration.count, lost.get(OperationLoss.DROPPED, 0)
    assert int(count) - missing <= ends <= int(count)
    assert 2 * int(count) - 2 * ends >= missing - int(count) + ends
    assert missing > 0
    assert float(slowest) < 0.1
    listener.stop()


def test_a_restart_under_load_neither_stops_the_program_nor_invents_losses(listener: OpListener) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", STEADY], env=listener.environ(), stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(3):
            listener.wait_for_count("status_check", 20)
            listener.stop()
            assert not listener.path.exists()
            listener.start()
        listener.wait_for_count("status_check", 20)
    finally:
        (listener.base / "stop").touch()
        output, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert int(output) > 80
    assert listener.settled_loss() == {}


STEADY = """
import os, time
from tmux_exporter.instrument import operation
count = 0
while not os.path.exists(os.environ["XDG_RUNTIME_DIR"] + "/stop"):
    with operation("status_check"):
        time.sleep(0.005)
    count += 1
print(count)
"""


def test_a_queue_that_nobody_empties_costs_reports_and_no_time(tmp_path: Path) -> None:
    listener = OpListener(tmp_path)
    with listener.socket._turn:
        before = json.loads(listener.run(TIMED))
    assert before["reports"] == 2 * 300 + 2
    wait_for(lambda: listener.figures("recovery").duration.count or listener.report(), "what fitted is read")
    listener.stop()
    assert before["voluntary_switches"] <= 50, "it never slept for want of room"


TIMED = """
    import json, resource
    from tmux_exporter import instrument
    with instrument.operation("recovery"):
        pass
    first = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(300):
        with instrument.operation("status_check"):
            pass
    last = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "voluntary_switches": last.ru_nvcsw - first.ru_nvcsw,
        "reports": next(instrument._state.stream.numbers) - 1,
    }))
"""


@pytest.mark.parametrize("case", ["no folder", "no socket", "dead socket", "foreign folder", "open folder"])
def test_without_an_exporter_nothing_happens(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "tmux-exporter"
    if case != "no folder":
        folder.mkdir(mode=0o700)
    if case in ("dead socket", "foreign folder", "open folder"):
        listener = OpListener(tmp_path)
        listener.stop()
        subprocess.run(
            [sys.executable, "-c", f"import socket; socket.socket(1, 2).bind('{listener.path}')"], check=True
        )
    if case == "open folder":
        folder.chmod(0o777)
    if case == "foreign folder":
        if os.getuid() != 0:
            pytest.skip("only root can give a folder to another user")
        os.chown(folder, 65534, 65534)
    made = json.loads(
        run_text(
            [sys.executable, "-c", ALONE], env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}, check=True
        ).stdout
    )
    assert made == {"tried": 1 if case == "dead socket" else 0, "succeeded": True, "memory": None}


ALONE = """
import json
from tmux_exporter import instrument
tried = 0
begin = instrument._Stream.__init__
def count(self, path):
    global tried
    tried += 1
    begin(self, path)
instrument._Stream.__init__ = count
for _ in range(3):
    with instrument.operation("recovery", memory=False) as op:
        pass
print(json.dumps({"tried": tried, "succeeded": op.succeeded, "memory": op.memory_change_bytes}))
"""


def test_a_program_without_descriptors_or_with_all_closed_goes_on(listener: OpListener) -> None:
    listener.run("""
        import os, resource, socket
        from tmux_exporter.instrument import operation
        with operation("recovery"):
            os.closerange(3, 256)
        a, b = socket.socketpair()
        with operation("recovery"):
            pass
        b.setblocking(False)
        try:
            raise AssertionError(b.recv(100))  # no report has gone into a connection of the program
        except BlockingIOError:
            pass
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        with operation("recovery") as op:
            pass
        assert op.succeeded
    """)
    assert listener.wait_for_count("recovery", 3).in_flight == 0
    assert listener.settled_loss() == {}


def test_nothing_that_a_program_passes_makes_it_raise(listener: OpListener) -> None:
    listener.run("""
        from tmux_exporter.instrument import operation
        for name in ["", "Send Message", "x" * 9000, None, 7, b"x", ["a"], "secret\\n{}", "\\udc80"]:
            with operation(name) as op:
                op.fail(name)
                op.retry()
        with operation("recovery", trace_id="secret"):
            pass
    """)
    listener.wait_for_count("recovery", 1)
    assert listener.settled_loss() == {OperationLoss.MALFORMED: 18}


def test_threads_that_measure_memory_at_once_leave_one_file_open(listener: OpListener) -> None:
    listener.run("""
        import os
        from tmux_exporter import instrument
        before, really, found = len(os.listdir("/proc/self/fd")), os.open, []
        def late(*arguments):
            os.open = really
            found.append(instrument._resident_bytes())  # another thread, which comes between
            return really(*arguments)
        os.open = late
        found.append(instrument._resident_bytes())
        assert all(found) and len(found) == 2, found
        assert len(os.listdir("/proc/self/fd")) == before + 1
    """)


def test_nothing_is_left_open_or_complained_about(listener: OpListener) -> None:
    listener.run("""
        import gc, os, sys, threading, warnings
        warnings.simplefilter("error")
        sys.unraisablehook = lambda unraisable: os._exit(9)
        from tmux_exporter import instrument
        from tmux_exporter.instrument import operation
        def work():
            with operation("recovery"):
                pass
        def descriptors():
            return len(os.listdir("/proc/self/fd"))
        before = descriptors()
        for _ in range(20):
            instrument._state.stream = None  # as if all of them had come at once
            threads = [threading.Thread(target=work) for _ in range(4)]
            [each.start() for each in threads]
            [each.join() for each in threads]
        gc.collect()
        assert descriptors() == before + 2, descriptors()
        for _ in range(3):  # each the child of the one before
            if (child := os.fork()):
                os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            work()
            assert descriptors() == before + 2, descriptors()
    """)
    listener.wait_for_count("recovery", 83)
    assert listener.settled_loss() == {}
