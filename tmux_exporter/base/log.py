"""Log lines on stderr as logfmt or JSON, from the standard library's logging."""

import json
import logging
import sys
from collections.abc import Mapping

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


def configure(level: str, form: str) -> None:
    """Send every log line to stderr at `level` in `form` (logfmt or json); may be called again on reload."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else LogfmtFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
