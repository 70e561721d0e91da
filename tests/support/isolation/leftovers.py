"""Processes that outlived the test that started them: found by an environment that only they have."""

import os

import psutil

from tests.support.processes.started import end_process


def end_carrying(name: str, value: str) -> list[str]:
    """End all processes but ours that were started with that variable; what each of them was."""
    ended = []
    while found := [each for each in psutil.process_iter() if _environ(each).get(name) == value]:
        for process in found:
            ended.append(_told(process))
            end_process(process.pid)
    return ended


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.pid == os.getpid() else process.environ()
    except psutil.Error:
        # Gone, a zombie, or another user's.
        return {}


def _told(process: psutil.Process) -> str:
    try:
        test = process.environ().get("PYTEST_CURRENT_TEST", "no test")
        return f"{process.pid} {' '.join(process.cmdline())[:80]!r} of {test}"
    except psutil.Error:
        return f"{process.pid}"
