"""Each value is taken only if it is of the kind that is written; JSON's look-alikes are refused."""

from collections.abc import Callable

import pytest

from tmux_exporter.base import strict_json
from tmux_exporter.facts.process import ProcessId


@pytest.mark.parametrize(
    ("take", "value", "found"),
    [
        (strict_json.record, {"a": 1}, {"a": 1}),
        (strict_json.array, [1], [1]),
        (strict_json.text, "", ""),
        (strict_json.flag, False, False),
        (strict_json.count, (1 << 63) - 1, (1 << 63) - 1),
        (strict_json.number, -2, -2.0),
        (strict_json.process, [7, 0], ProcessId(7, 0)),
    ],
)
def test_what_is_written_is_taken(take: Callable[[object], object], value: object, found: object) -> None:
    assert take(value) == found


NEVER_WRITTEN: dict[Callable[[object], object], tuple[object, ...]] = {
    strict_json.record: (None, [], "a"),
    strict_json.array: (None, {}, "ab"),
    strict_json.text: (None, 1, ["a"]),
    strict_json.flag: (None, 0, 1, "true"),
    strict_json.count: (None, True, -1, 1.0, "1", 1 << 63),
    strict_json.number: (None, True, "1", float("nan"), float("inf"), 10**400),
    strict_json.process: (None, "ab", [1], [1, 2, 3], [1, -2], [True, 2]),
}


@pytest.mark.parametrize(
    ("take", "value"), [(take, value) for take, values in NEVER_WRITTEN.items() for value in values]
)
def test_what_is_never_written_is_refused(take: Callable[[object], object], value: object) -> None:
    with pytest.raises(TypeError, match=r"^no "):
        take(value)


@pytest.mark.parametrize(
    "content", [b"", b"[" * 100_000, b"[]", b"{}", b'{"version": 2}', b'{"version": "1"}']
)
def test_a_file_of_another_version_is_refused(content: bytes) -> None:
    assert strict_json.document(b'{"version": 1}', 1) == {"version": 1}
    with pytest.raises(ValueError, match=r".+"):
        strict_json.document(content, 1)
