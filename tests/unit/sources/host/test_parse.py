"""The machine's texts, line by line: what kernels really write, and what is refused."""

from collections.abc import Callable

import pytest

from tmux_exporter.sources.host.parse import (
    Load,
    Traffic,
    parse_cpu,
    parse_disks,
    parse_load,
    parse_memory,
    parse_networks,
    parse_number,
    parse_oom_kills,
    parse_pressure,
    parse_speed,
)

MEMINFO = b"MemTotal:       24684092 kB\nMemFree:  1 kB\nMemAvailable:   23271816 kB\nSwapTotal: 0 kB\n"
NETWORKS = (
    b"Inter-|   Receive                                                |  Transmit\n"
    b" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
    b"    lo: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n"
    b"  eth0: 30 2 0 0 0 0 0 0 40 2 0 0 0 0 0 0\n"
)
# Kernels wrote 14 words up to 4.17, 18 up to 5.4, 20 since; partitions look like disks.
DISKS = (
    b"   8       0 sda 100 2 300 400 500 6 700 800 0 1250 1300\n"
    b"   8       1 sda1 1 2 3 4 5 6 7 8 0 9 10 0 0 0 0\n"
    b" 254       0 cciss/c0d0 1 2 3 4 5 6 7 8 0 4294967295 10 0 0 0 0 11 12\n"
)
PRESSURE = b"some avg10=16.97 avg60=21.25 avg300=29.70 total=1833106213\nfull avg10=0.00 avg60=0.00 "
PRESSURE += b"avg300=0.00 total=7\n"


def test_memory_is_in_bytes() -> None:
    assert parse_memory(MEMINFO) == (24_684_092 * 1024, 23_271_816 * 1024)
    assert parse_memory(MEMINFO.replace(b"MemAvailable", b"Committed")) == (24_684_092 * 1024, None)


def test_the_first_line_is_that_of_all_cpus() -> None:
    lines = b"cpu  1 2 3 4 5 6 7 8 900 900\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n"
    assert parse_cpu(lines) == {
        "user": 1, "nice": 2, "system": 3, "idle": 4, "iowait": 5, "irq": 6, "softirq": 7, "steal": 8,
    }  # fmt: skip


def test_oom_kills_are_not_other_counts_of_that_name() -> None:
    assert parse_oom_kills(b"pgfault 9\noom_kill 3\noom_kill_other 5\n") == 3
    assert parse_oom_kills(b"pgfault 9\n") is None


def test_load_and_threads() -> None:
    assert parse_load(b"2.00 2.38 3.08 1/260 16126\n") == Load(load1=2.0, threads=260)


def test_disks_say_how_long_they_had_work() -> None:
    assert parse_disks(DISKS) == {b"sda": 1.25, b"sda1": 0.009, b"cciss/c0d0": 4_294_967.295}
    assert parse_disks(b"") == {}


def test_a_network_device_may_have_any_name() -> None:
    assert parse_networks(NETWORKS) == {b"lo": Traffic(10, 20), b"eth0": Traffic(30, 40)}
    odd = NETWORKS.replace(b"  eth0", b'a"\\\xff\x01{}')
    assert parse_networks(odd)[b'a"\\\xff\x01{}'] == Traffic(30, 40)
    # The kernel puts no blank after the colon where the figures are long.
    assert parse_networks(NETWORKS.replace(b"eth0: 30", b"eth0:18446744073709551615"))[b"eth0"] == Traffic(
        18_446_744_073_709_551_615, 40
    )


@pytest.mark.parametrize(
    ("raw", "speed"),
    [
        (b"1000\n", 125_000_000),
        (b"100000\n", 12_500_000_000),
        (b"-1\n", None),
        (b"0\n", None),
        (b"4294967295\n", None),
    ],
)
def test_speed_is_in_bytes_where_there_is_one(raw: bytes, speed: int | None) -> None:
    assert parse_speed(raw) == speed


def test_pressure_by_kind() -> None:
    assert parse_pressure(PRESSURE) == {"some": 1833.106213, "full": 0.000007}
    assert parse_pressure(PRESSURE.split(b"full")[0]) == {"some": 1833.106213}


def test_numbers() -> None:
    assert parse_number(b"32768\n") == 32_768


@pytest.mark.parametrize(
    ("parse", "raw"),
    [
        (parse_memory, b"MemFree: 1 kB\n"), (parse_memory, b"MemTotal: 1 MB\n"),
        (parse_cpu, b"cpu0 1 2 3 4 5 6 7 8\n"), (parse_cpu, b"cpu  1 2 3 4\n"),
        (parse_cpu, b"cpu  1 2 3 -4 5 6 7 8\n"), (parse_load, b"2.00 2.38 3.08 260 16126\n"),
        (parse_load, b"nan 2.38 3.08 1/260 16126\n"), (parse_disks, b"   8       0 sda 100 2 300\n"),
        (parse_disks, DISKS.replace(b"1250", b"-250")), (parse_networks, NETWORKS.replace(b"eth0:", b"eth0")),
        (parse_networks, NETWORKS.replace(b" 40 2 0 0 0 0 0 0", b"")),
        (parse_networks, NETWORKS.replace(b"30", b"3_0")), (parse_pressure, b"some avg10=0.00\n"),
        (parse_number, b"max\n"), (parse_number, b"1 2\n"), (parse_number, b"-1\n"), (parse_speed, b"fast\n"),
    ],
)  # fmt: skip
def test_what_the_kernel_does_not_write_is_refused(parse: Callable[[bytes], object], raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(raw)
