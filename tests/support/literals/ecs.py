"""The fields of the Elastic Common Schema 8.11 that we write, and their types in JSON."""

import json

ECS = {
    "@timestamp": str, "log.level": str, "message": str, "ecs.version": str, "log.logger": str,
    "service.name": str, "process.pid": int, "labels": dict, "error.type": str, "error.message": str,
    "error.stack_trace": str, "event.action": str, "event.sequence": int,
}  # fmt: skip

_ALWAYS = {"@timestamp", "log.level", "message", "ecs.version", "log.logger", "service.name"}


def ecs_line(text: str) -> dict[str, object]:
    """A line, which has to be of the schema."""
    line: dict[str, object] = json.loads(text)
    assert {key: type(each) for key, each in line.items()} == {key: ECS.get(key) for key in line}
    assert line.keys() >= _ALWAYS
    time, labels = str(line["@timestamp"]), line.get("labels", {})
    assert time[-5] == "." and time.endswith("Z")
    assert isinstance(labels, dict)
    assert all(isinstance(each, str) and "." not in key for key, each in labels.items())
    return line
