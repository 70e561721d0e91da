"""What /proc/PID/cgroup says of systemd's units."""

import pytest

from tmux_exporter.sources.processes.leak_details import parse_unit


@pytest.mark.parametrize(
    ("raw", "unit"),
    [
        (b"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"),
        (b"0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1f.scope\n", "tmux-spawn-1f.scope"),
        (b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "web.service"),
        (b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/inner\n", "web.service"),
        (b"0::/user.slice/user-1000.slice/user@1000.service\n", ""),
        (b"0::/system.slice/cron.service\n", "cron.service"),
        (b"9:name=systemd:/system.slice/atd.service\n4:memory:/x\n0::/\n", "atd.service"),
        (b"9:name=systemd:/\n0::/system.slice/ssh.service\n", "ssh.service"),
        (b"4:memory:/system.slice/ssh.service\n0::/\n", ""),
        (b"0::/../../init.scope\n", "init.scope"),
        (b"0::/docker/4f\n", ""),
    ],
)
def test_the_innermost_unit(raw: bytes, unit: str) -> None:
    assert parse_unit(raw) == unit


def test_what_is_no_line_of_it_is_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        parse_unit(b"nonsense\n")
