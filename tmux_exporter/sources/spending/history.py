"""Find all files of the user's programs that were changed since a time: on demand, never in a sample."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from glob import iglob

from tmux_exporter.sources.spending import claude_transcript, gemini_chats, opencode_rows, pi_sessions
from tmux_exporter.sources.spending.codex_files import rollout_source
from tmux_exporter.sources.spending.database import opened_database, reading
from tmux_exporter.sources.spending.follow import LinesSource, NotFollowedError
from tmux_exporter.sources.spending.heads import head_of
from tmux_exporter.sources.spending.located import Source
from tmux_exporter.sources.spending.values import parsed, time_of

_HEAD_BYTES = 64 * 1024
_ALL_SESSIONS = "SELECT id, time_created, parent_id IS NULL FROM session WHERE time_updated >= ?"


def files_since(environ: Mapping[str, str], since: float, uid: int) -> Iterator[tuple[str, Source | None]]:
    """Program and file (or conversation in a database) of each, in the user's own configuration folders.

    None stands for a file of another form, or a database that cannot be read.
    """
    for program, find in _FIND.items():
        try:
            for each in find(environ, since, uid):
                yield program, each
        except (NotFollowedError, OSError):
            yield program, None


def _changed(pattern: str, since: float) -> Iterator[str]:
    found = []
    for path in iglob(pattern, recursive=True):
        try:
            found.append((os.lstat(path).st_mtime, path))
        except OSError:
            continue
    yield from (path for changed, path in sorted(found) if changed >= since)


def _home(environ: Mapping[str, str], variable: str, name: str) -> str:
    return environ.get(variable) or os.path.join(environ.get("HOME", "/"), name)


def _claude(environ: Mapping[str, str], since: float, uid: int) -> Iterator[Source | None]:  # noqa: ARG001 - as all
    pattern = os.path.join(_home(environ, "CLAUDE_CONFIG_DIR", ".claude"), "projects", "**", "*.jsonl")
    for path in _changed(pattern, since):
        yield LinesSource(path=path, wanted=claude_transcript.wanted, parse=claude_transcript.parse)


def _codex(environ: Mapping[str, str], since: float, uid: int) -> Iterator[Source | None]:
    home = _home(environ, "CODEX_HOME", ".codex")
    for folder in ("sessions", "archived_sessions"):
        for path in _changed(os.path.join(home, folder, "**", "rollout-*.jsonl"), since):
            yield rollout_source(path, uid)


def _gemini(environ: Mapping[str, str], since: float, uid: int) -> Iterator[Source | None]:  # noqa: ARG001 - as all
    pattern = os.path.join(gemini_chats.home(environ), "tmp", "*", "chats", "**", "*.jsonl")
    for path in _changed(pattern, since):
        yield LinesSource(path=path, wanted=gemini_chats.wanted, parse=gemini_chats.parse)


def _opencode(environ: Mapping[str, str], since: float, uid: int) -> Iterator[Source | None]:
    path = opencode_rows.home(environ)
    if not os.path.lexists(path):
        return
    with closing(opened_database(path, uid)) as database, reading():
        rows = database.execute(_ALL_SESSIONS, (int(since * 1000),)).fetchall()
    for session, created, main in rows:
        yield opencode_rows.RowsSource(database=path, session=session, begins=created / 1000, main=bool(main))


def _pi(environ: Mapping[str, str], since: float, uid: int) -> Iterator[Source | None]:
    for path in _changed(os.path.join(pi_sessions.home(environ), "sessions", "*", "*.jsonl"), since):
        first = head_of(path, uid=uid, most=_HEAD_BYTES).partition(b"\n")[0]
        try:
            begins = time_of(parsed(first))
        except ValueError:
            begins = None
        yield LinesSource(path=path, wanted=pi_sessions.wanted, parse=pi_sessions.parse, begins=begins)


_FIND: Mapping[str, Callable[[Mapping[str, str], float, int], Iterator[Source | None]]] = {
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
    "opencode": _opencode,
    "pi": _pi,
}
