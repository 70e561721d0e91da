"""Log lines on stderr as logfmt, JSON or Elastic Common Schema, from the standard library's logging."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

ECS_VERSION = "8.11.0"
"""Of the Elastic Common Schema."""

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


class EcsFormatter(logging.Formatter):
    """One JSON object a line with fields of the Elastic Common Schema only; ours are texts in `labels`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "@timestamp": time.replace("+00:00", "Z"),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": ECS_VERSION,
            "log.logger": record.name,
            "service.name": "tmux-exporter",
            "process.pid": record.process,
        }
        if fields := fields_of(record):
            # Dots would make objects of them.
            line["labels"] = {key.replace(".", "_"): str(each) for key, each in fields.items()}
        if record.exc_info and record.exc_info[0]:
            line["error.type"] = record.exc_info[0].__name__
            line["error.message"] = str(record.exc_info[1])
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


_FORMATTERS = {"json": JsonFormatter, "ecs": EcsFormatter}


def announce(words: str, level: int = logging.INFO) -> None:
    """Say at the start what a person waits for: a plain line, but a log line where each has to be JSON."""
    (handler,) = logging.getLogger().handlers
    if isinstance(handler.formatter, LogfmtFormatter):
        print(words, file=sys.stderr, flush=True)  # noqa: T201 - to the person who has started it
    else:
        logging.getLogger(__name__).log(level, words)


def configure(level: str, form: str) -> None:
    """Send every log line to stderr at `level` in `form` (logfmt, json, ecs); may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMATTERS.get(form, LogfmtFormatter)())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
