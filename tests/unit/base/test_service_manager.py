import math
import os
import socket
from pathlib import Path

import pytest

from tmux_exporter.base.service_manager import ServiceManager


@pytest.mark.parametrize("name", ["{}/notify", "@{}/notify"], ids=["a file", "no file"])
def test_the_manager_hears_each_line_and_children_are_not_the_service(name: str, tmp_path: Path) -> None:
    address = name.format(tmp_path)
    environ = {
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": "6000000",
        "WATCHDOG_PID": str(os.getpid()),
        "A": "1",
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        manager.setblocking(False)
        service = ServiceManager(environ)
        service.tell("READY=1", "STATUS=ä")
        assert manager.recv(100) == "READY=1\nSTATUS=ä".encode()
    assert (environ, service.beat_seconds) == ({"A": "1"}, 2.0)


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "6", "WATCHDOG_PID": "1"}],
)
def test_who_is_not_watched_beats_never(watchdog: dict[str, str]) -> None:
    assert ServiceManager({"NOTIFY_SOCKET": "/nowhere", **watchdog}).beat_seconds == math.inf


def test_a_manager_that_is_gone_or_does_not_read_harms_nobody(tmp_path: Path) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    service.tell("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        for _ in range(100):
            service.tell("STATUS=" + "x" * 100_000)
