"""When the fast reader is not to be relied on."""

import os

import pytest

from tests.support.simulation.fast_reader import SimulatedProc
from tests.support.simulation.kernel import SimulatedKernel
from tmux_exporter.sources.processes.kernel import ProcKernel
from tmux_exporter.sources.processes.open import finds_a_child, is_own_mount
from tmux_exporter.sources.processes.process import Known, ProcessRead, ProcessReader


@pytest.mark.parametrize(
    ("pids", "own"), [("ME", True), ("ME\t7", False), ("7\tME", False), ("1ME", False), ("", False)]
)
def test_a_mount_is_ours_where_it_knows_us_by_our_only_pid(pids: str, own: bool) -> None:
    status = f"Name:\tpython\nNSpid:\t{pids}\nNSsid:\t1\n".replace("ME", str(os.getpid())).encode()
    assert is_own_mount(status) == own


def test_a_kernel_that_does_not_tell_is_not_trusted() -> None:
    assert not is_own_mount(b"Name:\tpython\n")


class Broken(ProcKernel):
    """This machine's kernel, one of whose answers is wrong."""

    def __init__(self, fault: str) -> None:
        super().__init__("/proc", ProcessReader(uid=os.getuid(), by_size=True))
        self._fault = fault

    def cursor(self) -> int:
        return 5 if self._fault == "cursor" else super().cursor()

    def clock_ns(self, pid: int) -> int | None:
        return None if self._fault == "clock" else super().clock_ns(pid)

    def mark(self, pid: int) -> int | None:
        return None if self._fault == "line" else super().mark(pid)

    def listing(self) -> list[int]:
        return [] if self._fault == "listing" else super().listing()

    def read(self, pid: int, known: Known | None, /) -> ProcessRead:
        return super().read(1 if self._fault == "read" else pid, known)

    def pid_max(self) -> int:
        if self._fault == "error":
            raise PermissionError
        return super().pid_max()


@pytest.mark.parametrize("fault", ["cursor", "clock", "line", "listing", "read", "error"])
def test_each_wrong_answer_shows(fault: str) -> None:
    assert finds_a_child(Broken("none"))
    assert not finds_a_child(Broken(fault))


def test_another_kernel_has_no_child_of_ours() -> None:
    assert not finds_a_child(SimulatedProc(SimulatedKernel()))
