"""Log lines on stderr as logfmt, JSON or Elastic Common Schema, each written with one call and counted."""

import json
import logging
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime

from tmux_exporter.facts.log import LogOutcome

ECS_VERSION = "8.11.0"
"""Of the Elastic Common Schema."""

_STDERR = 2

_FIELDS = "fields"
"""Our attribute of a log record: `logging` rejects its own names as fields (`process`)."""


def log_fields(**fields: object) -> dict[str, object]:
    """The argument `extra=` of a log call; fields may have any name."""
    return {_FIELDS: fields}


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """The fields of a record by name."""
    fields: Mapping[str, object] = getattr(record, _FIELDS, {})
    return fields


def _pairs(
    formatter: logging.Formatter, record: logging.LogRecord, keys: tuple[str, str, str, str]
) -> dict[str, object]:
    """All pairs of a line; a field whose key is among `keys`, of time, level, message, trace, gets a `_`."""
    time = formatter.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
    head = dict(zip(keys, (time, record.levelname.lower(), record.getMessage()), strict=False))
    trace = {keys[3]: formatter.formatException(record.exc_info)} if record.exc_info else {}
    taken = head.keys() | trace
    fields = {f"{key}_" if key in taken else key: each for key, each in fields_of(record).items()}
    return {**head, **fields, **trace}


def _quote(value: object) -> str:
    text = str(value)
    if text and all(33 <= ord(letter) < 127 and letter not in '"=\\' for letter in text):
        return text
    return json.dumps(text)


class LogfmtFormatter(logging.Formatter):
    """`ts=… level=… msg="…" key=value`, one line whatever the values hold."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        pairs = _pairs(self, record, ("ts", "level", "msg", "error"))
        return " ".join(f"{key}={_quote(value)}" for key, value in pairs.items())


class JsonFormatter(logging.Formatter):
    """One JSON object a line; time, level and message are named as in the Elastic Common Schema."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        pairs = _pairs(self, record, ("@timestamp", "log.level", "message", "error.stack_trace"))
        return json.dumps(pairs, default=str)


def ecs_fields(
    *, at: float, level: str, message: str, logger: str, service: str, labels: Mapping[str, object]
) -> dict[str, object]:
    """A line of the Elastic Common Schema; what is ours is a text in `labels`."""
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    line: dict[str, object] = {
        "@timestamp": time.replace("+00:00", "Z"),
        "log.level": level,
        "message": message,
        "ecs.version": ECS_VERSION,
        "log.logger": logger,
        "service.name": service,
    }
    if labels:
        # Dots would make objects of them.
        line["labels"] = {key.replace(".", "_"): str(each) for key, each in labels.items()}
    return line


class EcsFormatter(logging.Formatter):
    """One JSON object a line with fields of the Elastic Common Schema only; ours are texts in `labels`.

    `service` is the name of the program.
    """

    def __init__(self, service: str = "tmux-exporter") -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        line = ecs_fields(
            at=record.created,
            level=record.levelname.lower(),
            message=record.getMessage(),
            logger=record.name,
            service=self._service,
            labels=fields_of(record),
        )
        line["process.pid"] = record.process
        if record.exc_info and record.exc_info[0]:
            line["error.type"] = record.exc_info[0].__name__
            line["error.message"] = str(record.exc_info[1])
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


_counts = dict.fromkeys(LogOutcome, 0)


def line_counts() -> Mapping[LogOutcome, int]:
    """Log lines of this process so far; one that could not be written whole is lost."""
    return dict(_counts)


class LineHandler(logging.Handler):
    """Writes to a descriptor and never raises: on a full disk lines are lost, and counted.

    Python's own stream keeps what it could not write and puts it before a later line.
    """

    def __init__(self, descriptor: int = _STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._tore = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record."""
        try:
            line = self.format(record)
        except Exception:
            _counts[LogOutcome.LOST] += 1
            self.handleError(record)
        else:
            self.write(line)

    def write(self, line: str) -> None:
        """Write one line; what is there of a torn one is ended first, so that this one is whole."""
        data = f"{line}\n".encode(errors="backslashreplace")
        if self._is_torn():
            data = b"\n" + data
        outcome = LogOutcome.WRITTEN
        try:
            while data:
                count = os.write(self._descriptor, data)
                self._tore, data = data[:count][-1:] != b"\n", data[count:]
        except OSError:
            # The next line brings the end of one that lacks nothing else.
            outcome = LogOutcome.WRITTEN if data == b"\n" else LogOutcome.LOST
        _counts[outcome] += 1

    def _is_torn(self) -> bool:
        """Whether the log ends within a line; looked up of a file: others write there, and did before."""
        try:
            found = os.fstat(self._descriptor)
            if not stat.S_ISREG(found.st_mode):
                return self._tore
            if not found.st_size:
                return False
            with open(f"/proc/self/fd/{self._descriptor}", "rb") as stream:
                return os.pread(stream.fileno(), 1, found.st_size - 1) not in (b"\n", b"")
        except OSError:
            return self._tore


_FORMATTERS = {"json": JsonFormatter, "logfmt": LogfmtFormatter}


def announce(words: str, level: int = logging.INFO) -> None:
    """Say at the start what a person waits for: a plain line, but a log line where each has to be JSON."""
    (handler,) = logging.getLogger().handlers
    if isinstance(handler, LineHandler) and isinstance(handler.formatter, LogfmtFormatter):
        handler.write(words)
    else:
        logging.getLogger(__name__).log(level, words)


def configure(level: str, form: str, service: str = "tmux-exporter") -> None:
    """Send every log line to stderr at `level` in `form` (logfmt, json, ecs); may be called again."""
    handler = LineHandler()
    handler.setFormatter(EcsFormatter(service) if form == "ecs" else _FORMATTERS[form]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
