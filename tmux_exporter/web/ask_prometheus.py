"""One question to a Prometheus. Only what asks one imports this: the HTTP client stays out of the daemon."""

import http.client
import json
import math
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SECONDS = 1.0
"""For one answer."""

MOST_BYTES = 2**20
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class AskError(Exception):
    """No answer that could be used; the text says why."""


def ask(url: str, query: str, token_file: str = "") -> list[tuple[Mapping[str, str], float]]:
    """The labels and values of an instant query, from the Prometheus at an address. Raises AskError.

    The answer is bounded, and no redirect is followed: it may lead anywhere.
    """
    try:
        return list(_series(_get(url, query, token_file)))
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise AskError(f"{type(error).__name__}: {error}"[:200]) from error


def _get(url: str, query: str, token_file: str) -> bytes:
    parts = urllib.parse.urlsplit(url)
    connection = _CONNECTIONS[parts.scheme](parts.hostname or "", parts.port, timeout=SECONDS)
    headers = {"Accept": "application/json"}
    if token_file:
        headers["Authorization"] = f"Bearer {Path(token_file).read_text(encoding='ascii').strip()}"
    path = f"{parts.path.rstrip('/')}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(f"it answers {answer.status}")
        body: bytes = answer.read(MOST_BYTES + 1)
    finally:
        connection.close()
    if len(body) > MOST_BYTES:
        raise ValueError("it answers with more than 1 MiB")
    return body


def _series(body: bytes) -> Iterator[tuple[Mapping[str, str], float]]:
    answer: Any = json.loads(body)
    try:
        for each in answer["data"]["result"]:
            value = float(each["value"][1])
            if math.isfinite(value):
                yield {str(name): str(text) for name, text in each["metric"].items()}, value
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError("it does not answer as a Prometheus does") from error
