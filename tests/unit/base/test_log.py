import ast
import errno
import json
import logging
import os
from pathlib import Path

import pytest

import tmux_exporter
from tests.support.literals.ecs import ECS, ecs_line
from tmux_exporter.base import log
from tmux_exporter.base.log import log_fields

RESERVED = [*sorted(logging.makeLogRecord({}).__dict__), "asctime", "message", "taskName", "fields", "self"]
"""What `logging` refuses as a field, or replaces by its own."""

IN_EVERY_LINE = ["ts", "level", "msg", "@timestamp", "log.level", "error", "error.stack_trace"]


@pytest.fixture(autouse=True)
def root_logger() -> object:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = kept
    root.setLevel(level)


def lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().err.splitlines()


def test_logfmt_is_one_line_whatever_the_values_hold(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "logfmt")
    logging.getLogger("x").warning("sample late", extra=log_fields(server='a b\n"c"', seconds=2.5))
    (line,) = lines(capfd)
    assert 'level=warning msg="sample late" server="a b\\n\\"c\\"" seconds=2.5' in line


def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    try:
        raise ValueError("planted")
    except ValueError:
        logging.getLogger("x").exception("sample failed", extra=log_fields(server="a"))
    (line,) = lines(capfd)
    fields = json.loads(line)
    assert (fields["log.level"], fields["message"], fields["server"]) == ("error", "sample failed", "a")
    assert "planted" in fields["error.stack_trace"]


def test_a_line_without_room_is_lost_and_the_next_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before, room = tmp_path / "log", log.line_counts(), [0]
    path.write_text("whole\nleft by an earlier r")
    write = os.write

    def on_a_disk(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "no space")
        count = write(descriptor, data[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", on_a_disk)
    with path.open("ab") as stream:
        handler = log.LineHandler(stream.fileno())
        for line, room[0] in (("first", 999), ("second", 4), ("third", 0), ("fourth", 999), ("fifth", 5)):
            handler.write(line)
        assert path.read_text() == "whole\nleft by an earlier r\nfirst\nseco\nfourth\nfifth"
        # As logrotate's copytruncate does.
        stream.truncate(0)
        room[0] = 999
        handler.write("sixth")
        assert path.read_bytes() == b"sixth\n"
    counts = log.line_counts()
    assert {each: counts[each] - before[each] for each in counts} == {"written": 4, "lost": 2}


def test_ecs_has_fields_of_the_schema_only(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "ecs")
    try:
        raise ValueError("planted\nhere")
    except ValueError:
        words = dict.fromkeys(RESERVED, 1.5) | {"a.b": None}
        logging.getLogger("x").exception("sample\nfailed", extra=log_fields(**words))
    log.announce("listening on http://127.0.0.1:1/")
    log.configure("info", "ecs", "tmux-remediator")
    log.announce("third")
    first, second, third = map(ecs_line, lines(capfd))
    assert first.keys() == ECS.keys() - {"event.action", "event.sequence"}
    assert (first["error.type"], first["error.message"]) == ("ValueError", "planted\nhere")
    assert first["labels"] == {key.replace(".", "_"): str(each) for key, each in words.items()}
    assert second["message"] == "listening on http://127.0.0.1:1/"
    assert [each["service.name"] for each in (second, third)] == ["tmux-exporter", "tmux-remediator"]


def test_lines_below_the_level_are_not_written(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("warn", "logfmt")
    logging.getLogger("x").info("quiet")
    assert lines(capfd) == []


def test_configuring_again_does_not_double_the_lines(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "logfmt")
    log.configure("info", "logfmt")
    logging.getLogger("x").info("once")
    assert len(lines(capfd)) == 1


def _pairs(line: str, form: str) -> dict[str, object]:
    if form == "json":
        pairs: dict[str, object] = json.loads(line)
        return pairs
    return dict(pair.partition("=")[::2] for pair in line.split(" "))


@pytest.mark.parametrize("form", ["logfmt", "json"])
@pytest.mark.parametrize("key", RESERVED + IN_EVERY_LINE)
def test_a_field_of_any_name_hides_nothing(capfd: pytest.CaptureFixture[str], form: str, key: str) -> None:
    log.configure("info", form)
    logging.getLogger("x").info("told", extra=log_fields(**{key: "planted", "other": "kept"}))
    (line,) = lines(capfd)
    pairs = _pairs(line, form)
    assert "planted" in (pairs.get(key), pairs.get(f"{key}_"))
    assert (pairs["other"], pairs["msg" if form == "logfmt" else "message"]) == ("kept", "told")
    assert pairs["level" if form == "logfmt" else "log.level"] == "info"


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_field_does_not_hide_what_went_wrong(capfd: pytest.CaptureFixture[str], form: str) -> None:
    log.configure("info", form)
    key = "error" if form == "logfmt" else "error.stack_trace"
    try:
        raise ValueError("planted")
    except ValueError:
        logging.getLogger("x").exception("failed", extra=log_fields(**{key: "other"}))
    (line,) = lines(capfd)
    assert "ValueError: planted" in line and "other" in line


def test_every_log_call_of_ours_names_its_fields_in_this_way() -> None:
    wrong, seen = [], 0
    for path in sorted(Path(tmux_exporter.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func.value) not in ("_log", "logging", "log", "logger"):
                continue
            for each in node.keywords:
                seen += each.arg == "extra"
                if each.arg == "extra" and not ast.unparse(each.value).startswith("log_fields("):
                    wrong.append(f"{path.name}:{node.lineno}: {ast.unparse(each.value)}")
    assert (wrong, seen > 10) == ([], True)
