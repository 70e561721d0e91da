import json
import logging

import pytest

from tmux_exporter import log


@pytest.fixture(autouse=True)
def root_logger() -> object:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = kept
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_logfmt_is_one_line_whatever_the_values_hold(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "logfmt")
    logging.getLogger("x").warning("sample late", extra={"server": 'a b\n"c"', "seconds": 2.5})
    (line,) = lines(capsys)
    assert 'level=warning msg="sample late" server="a b\\n\\"c\\"" seconds=2.5' in line


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    try:
        raise ValueError("planted")
    except ValueError:
        logging.getLogger("x").exception("sample failed", extra={"server": "a"})
    (line,) = lines(capsys)
    fields = json.loads(line)
    assert (fields["log.level"], fields["message"], fields["server"]) == ("error", "sample failed", "a")
    assert "planted" in fields["error.stack_trace"]


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warn", "logfmt")
    logging.getLogger("x").info("quiet")
    assert lines(capsys) == []


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "logfmt")
    log.configure("info", "logfmt")
    logging.getLogger("x").info("once")
    assert len(lines(capsys)) == 1
