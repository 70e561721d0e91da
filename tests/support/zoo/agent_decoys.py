"""Real processes in real panes that look like agents and are none, each with the guards that tell them apart.

In a command `{bin}` is a folder with programs of those names, `{base}` the one around it. The programs are
shells: their first argument is a script that sleeps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import basename

import pytest

from tmux_exporter.analysis.agents.pane_state import TITLE_SIGNS
from tmux_exporter.analysis.programs import signatures
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import Signature
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.tmux import Listing, ServerView, TmuxView


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDecoy:
    """One of them; `seen` is a word of the command line by which the test knows that it runs."""

    name: str
    command: str
    guards: frozenset[str]
    seen: str
    title: str = ""
    window: str = "plain"


def _decoy(
    name: str, command: str, *guards: str, seen: str, title: str = "", window: str = "plain"
) -> AgentDecoy:
    return AgentDecoy(
        name=name, command=command, guards=frozenset(guards), seen=seen, title=title, window=window
    )


_SLEEP = "import time; time.sleep(3600)"
_RENAME = "exec -a worker {base}/renamed/claude k1"

DECOYS: tuple[AgentDecoy, ...] = (
    _decoy("mcp_server_of_claude", "{bin}/claude mcp serve", "services", seen="mcp"),
    _decoy("daemon_of_claude", "{bin}/claude daemon", "services", seen="daemon"),
    _decoy("app_server_of_codex", "{bin}/codex app-server", "services", seen="app-server"),
    _decoy("mcp_server_of_codex", "{bin}/codex mcp-server", "services", seen="mcp-server"),
    _decoy("server_of_opencode", "{bin}/opencode serve", "services", seen="serve"),
    _decoy("tool_inside_claude", "{base}/share/claude/versions/rg r1", "other_programs", seen="r1"),
    _decoy("claude_desktop", "{base}/claude-desktop/claude here", "other_programs", seen="here"),
    _decoy("claude_of_an_app", "{base}/Claude.app/claude there", "other_programs", seen="there"),
    _decoy("database_goose", "{bin}/goose postgres up", "only", seen="postgres"),
    _decoy("name_that_goes_on", "{bin}/claude-code-router up1", "whole_names", seen="up1"),
    _decoy("name_that_ends_so", "{bin}/my-codex up2", "whole_names", seen="up2"),
    _decoy("desktop_program", "{bin}/claude-desktop up3", "whole_names", seen="up3"),
    _decoy("grep", "{bin}/grep claude g1", "script_only", seen="g1"),
    _decoy("editor", "{bin}/vim codex v1", "script_only", seen="v1"),
    _decoy("pager", "{bin}/less {base}/gemini l1", "script_only", seen="l1"),
    _decoy("file_tail", "{bin}/tail claude t1", "script_only", seen="t1"),
    _decoy("ssh_to_an_agent", "{bin}/ssh claude s1", "script_only", seen="s1"),
    _decoy("ssh_to_a_user", "{bin}/ssh claude@host s2", seen="s2"),
    _decoy(
        "python_code", "{bin}/python3 -c 'import time; time.sleep(3600)' claude p1", "code_flags", seen="p1"
    ),
    _decoy("python_in_such_a_folder", "{bin}/python3 {base}/share/claude/server.py p2", seen="p2"),
    _decoy(
        "named_so_by_the_kernel",
        "bash -c 'exec -a worker {base}/renamed/claude k1'",
        "not_by_comm",
        seen="k1",
    ),
    _decoy("window_of_that_name", "{bin}/worker w1", "not_by_name", seen="w1", window="claude"),
    _decoy("editor_with_such_a_title", "{bin}/vim e1", "not_by_title", seen="e1", title="✳ Claude Code"),
    _decoy("stale_title", "{bin}/worker d1", "not_by_title", seen="d1", title="⠂ fix the tests"),
    _decoy("gemini_title", "{bin}/worker d2", "not_by_title", seen="d2", title="✋ Action Required"),
    _decoy("marker_alone", "env CLAUDECODE=1 {bin}/worker m1", seen="m1"),
)


def _without(**fields: object) -> tuple[Signature, ...]:
    return tuple(replace(row, **fields) for row in SIGNATURES)  # type: ignore[arg-type]


_NAMES = frozenset(name for row in SIGNATURES for name in row.argv0)


def _longest_within(argv0: str) -> str:
    name = basename(argv0)
    return name if name in _NAMES else max((n for n in _NAMES if n in name), key=len, default=name)


_script_of = signatures.script_of


def _any_argument(argv: Sequence[str], *names: str) -> tuple[str, Sequence[str]]:
    if any(name.startswith("python") for name in names):
        return _script_of(argv, *names)
    return next(((word, ()) for word in argv[1:] if basename(word) in _NAMES), ("", ()))


def mutate(guard: str, patch: pytest.MonkeyPatch) -> tuple[Signature, ...]:
    """Take one guard away; the table of signatures to use then."""
    match guard:
        case "services":
            return _without(services=())
        case "other_programs":
            return _without(not_argv0=(), not_exe=())
        case "only":
            return _without(only=())
        case "whole_names":
            patch.setattr(signatures, "_program_name", _longest_within)
        case "script_only":
            patch.setattr(signatures, "script_of", _any_argument)
        case "code_flags":
            patch.setattr(signatures, "_CODE_FLAGS", frozenset())
            patch.setattr(signatures, "_VALUE_FLAGS", frozenset({"-c"}))
        case "not_by_comm":
            patch.setattr(signatures.Matcher, "match", _by_comm_method)
        case _:
            assert guard in VIEWS, guard
    return SIGNATURES


_match = signatures.Matcher.match


def _by_comm_method(self: signatures.Matcher, process: Process) -> signatures.SignatureMatch | None:
    if not process.argv:
        return None
    return _match(self, process) or _match(self, replace(process, argv=(process.comm, *process.argv[1:])))


def _declared_where(view: TmuxView, is_one: Callable[[Listing, str], bool]) -> TmuxView:
    def changed(server: ServerView) -> ServerView:
        listing = server.listing
        if listing is None:
            return server
        panes = tuple(
            replace(pane, agent_option="agent") if is_one(listing, pane.id) else pane
            for pane in listing.panes
        )
        return replace(server, listing=replace(listing, panes=panes))

    return replace(view, servers=tuple(changed(each) for each in view.servers))


def _is_titled(listing: Listing, pane_id: str) -> bool:
    (pane,) = (each for each in listing.panes if each.id == pane_id)
    return any(pane.title_sign in signs for signs in TITLE_SIGNS.values())


def _is_named(listing: Listing, pane_id: str) -> bool:
    (pane,) = (each for each in listing.panes if each.id == pane_id)
    return any(each.id == pane.window_id and each.name in _NAMES for each in listing.windows)


VIEWS: Mapping[str, Callable[[TmuxView], TmuxView]] = {
    "not_by_title": lambda view: _declared_where(view, _is_titled),
    "not_by_name": lambda view: _declared_where(view, _is_named),
}
"""Guards that are kept by asking nothing: without them titles and names would declare agents."""

GUARDS = tuple(sorted(frozenset().union(*(each.guards for each in DECOYS))))
