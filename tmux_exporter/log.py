"""Log lines on stderr as logfmt or JSON, from the standard library's logging."""

import json
import logging
import sys
from typing import Any

_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _FIELDS}


def _quote(value: object) -> str:
    text = str(value)
    if text and all(33 <= ord(letter) < 127 and letter not in '"=\\' for letter in text):
        return text
    return json.dumps(text)


class LogfmtFormatter(logging.Formatter):
    """`ts=… level=… msg="…" key=value`, one line whatever the values hold."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        pairs: dict[str, object] = {
            "ts": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            pairs["error"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_quote(value)}" for key, value in pairs.items())


class JsonFormatter(logging.Formatter):
    """One JSON object a line; time, level and message are named as in the Elastic Common Schema."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        fields: dict[str, object] = {
            "@timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            fields["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure(level: str, form: str) -> None:
    """Send every log line to stderr at `level` in `form` (logfmt or json); may be called again on reload."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else LogfmtFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
