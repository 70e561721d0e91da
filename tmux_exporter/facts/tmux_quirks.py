"""How tmux versions differ: one row a difference. Only this file reads and compares tmux versions.

Code that decides by version asks a row (`DISPLAY_TIME.holds(version)`). Code that works alike with every
version, because of a difference, names the row in a comment. docs/tmux-versions.md is made of this table
(`make docs`).
"""

import re
from dataclasses import dataclass

Release = tuple[int, int]

OLDEST = "3.1"
"""The oldest release that can be read; tested with 3.1c."""

_RELEASE = re.compile(r"(?:next-)?([0-9]{1,3})\.([0-9]{1,3})(?![0-9])[A-Za-z0-9._+~-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A difference between tmux versions, from release `since` to release `last`, both included.

    `used_by` are files of this package that decide by it or must mind it; `tests` prove it or guard against
    it.
    """

    effect: str
    used_by: tuple[str, ...]
    tests: tuple[str, ...]
    since: Release | None = None
    last: Release | None = None

    def holds(self, version: str | None) -> bool:
        """Whether it holds for a server of this version; False where the version names no release."""
        release = _release(version or "")
        return (
            release is not None
            and (self.since is None or self.since <= release)
            and (self.last is None or release <= self.last)
        )

    @property
    def from_release(self) -> str:
        """Since which release, for people: `tmux 3.4 or newer`."""
        major, minor = self.since or (0, 0)
        return f"tmux {major}.{minor} or newer"


def _release(version: str) -> Release | None:
    """The release that `#{version}` or `tmux -V` names: `3.3a`, `next-3.8` and `2.7-rc` too.

    Letters and suffixes do not count: no difference depends on them. `next-3.8` may lack a part of 3.8.
    """
    match = _RELEASE.fullmatch(version)
    return (int(match[1]), int(match[2])) if match else None


TERMINAL_NAME = Quirk(
    effect="An identification without a terminal name ends the server with all its sessions (2.7 to 3.8).",
    used_by=("sources/tmux/protocol.py",),
    tests=(
        "unit/sources/tmux/test_protocol.py::test_the_request_is_the_golden_one",
        "unit/sources/tmux/test_protocol.py::test_the_checker_refuses_every_cut_and_every_addition",
    ),
)
OLD_DIALECT = Quirk(
    last=(3, 0),
    effect="The server answers in messages of its own, with success and no output: it is not supported.",
    used_by=("sources/tmux/answer.py", "analysis/doctor/findings.py"),
    tests=(
        "unit/sources/tmux/test_answer.py::test_failures",
        "unit/analysis/doctor/test_findings.py::test_tmux_that_is_missing_or_old",
    ),
)
VERSION_NEEDS_SESSION = Quirk(
    last=(3, 1),
    effect="A server without a session does not answer the question for its version.",
    used_by=("sources/tmux/parse_listing.py",),
    tests=("versions/test_versions.py::test_a_server_without_a_session",),
)
DISPLAY_TIME = Quirk(
    since=(3, 2),
    effect="`display-message` takes a time (`-d`); an older server shows the text for its `display-time`.",
    used_by=("remediator/act/pane_message.py",),
    tests=("integration/test_pane_message.py::test_whoever_is_attached_sees_it_and_no_pane_gets_a_byte",),
)
DEADLY_VARIABLES = Quirk(
    since=(3, 2),
    last=(3, 2),
    effect="`client_activity`, `client_created` or `buffer_created` in a listing of panes ends 3.2a.",
    used_by=("sources/tmux/query.py",),
    tests=("versions/test_versions.py::test_every_allowed_variable_is_harmless",),
)
PROGRAM_NAME = Quirk(
    last=(3, 3),
    effect="`tmux -V` may print the name of the program file before the version (`tmux-3.1c 3.1c`).",
    used_by=("analysis/doctor/findings.py",),
    tests=(
        "unit/versions/test_get_tmux.py::test_the_installed_tmux_is_used_where_it_is_the_one",
        "unit/analysis/doctor/test_findings.py::test_tmux_that_is_missing_or_old",
    ),
)
DEAD_SIGNAL = Quirk(
    since=(3, 3),
    effect="`pane_dead_signal` says which signal ended the process of a dead pane.",
    used_by=("sources/tmux/query.py", "facts/tmux.py"),
    tests=(
        "versions/test_versions.py::test_own_client_and_topology",
        "property/test_tmux_protocol.py::test_every_request_passes_the_checker",
    ),
)
SERVER_ACCESS = Quirk(
    since=(3, 3),
    effect="`server-access` can refuse a user: with status 0 and no output up to 3.7c, with status 1 in 3.8.",
    used_by=("sources/tmux/answer.py",),
    tests=(
        "integration/test_tmux_client.py::test_a_server_that_refuses_this_user",
        "unit/sources/tmux/test_answer.py::test_failures",
    ),
)
ESCAPED_NAMES = Quirk(
    since=(3, 4),
    last=(3, 5),
    effect="Names are printed with escapes, after `#{n:}` has counted their bytes: lengths are wrong, and "
    "a name with a backslash may be another one.",
    used_by=("analysis/schedulers/tmux_targets.py", "sources/tmux/query.py"),
    tests=(
        "unit/analysis/schedulers/test_tmux_targets.py::test_names_printed_with_escapes_prove_no_absence",
        "versions/test_versions.py::test_hostile_names",
    ),
)
PANE_SCOPES = Quirk(
    since=(3, 4),
    effect="Built with systemd, the server puts each pane into a scope of its own.",
    used_by=("analysis/doctor/findings.py", "remediator/service.py"),
    tests=(
        "unit/analysis/doctor/test_findings.py::test_what_a_throttle_can_use_here",
        "unit/remediator/policies/test_policies.py::test_a_throttle_that_could_not_return_what_it_moves_is_named",
    ),
)
MALFORMED_MESSAGE = Quirk(
    last=(3, 5),
    effect="One malformed message ends the server with all its sessions; newer servers drop it.",
    used_by=("sources/tmux/protocol.py", "sources/tmux/request_check.py"),
    tests=(
        "unit/sources/tmux/test_protocol.py"
        "::test_the_checker_refuses_every_changed_byte_outside_the_arguments",
        "versions/test_versions.py::test_every_cut_is_harmless",
    ),
)
LONG_LENGTH = Quirk(
    since=(3, 6),
    effect="A message header has 32 bits of length with a flag on top; before, 16 of length and 16 of flags.",
    used_by=("sources/tmux/protocol.py",),
    tests=(
        "unit/sources/tmux/test_protocol.py::test_both_layouts_of_the_length_are_read",
        "versions/test_versions.py::test_own_client_and_topology",
    ),
)
DEADLY_TARGETS = Quirk(
    since=(3, 7),
    last=(3, 7),
    effect="`-t @`, `-t {active}` and `-t {current}` end a server without a session (3.7 to 3.7c).",
    used_by=("sources/tmux/query.py",),
    tests=("versions/test_versions.py::test_a_server_without_a_session",),
)
LINES_CUT = Quirk(
    since=(3, 7),
    effect="The expansion of one line gets 100 ms; a line that takes longer is cut without an error.",
    used_by=("sources/tmux/parse_listing.py",),
    tests=(
        "versions/test_versions.py::test_a_pause_in_the_answer",
        "versions/test_sampler.py::test_sampling_a_server_that_changes_all_the_time",
    ),
)
LINES_CUT_OFTEN = Quirk(
    since=(3, 8),
    effect="The server looks at that limit at every variable, so a busy machine cuts lines often.",
    used_by=("sources/tmux/parse_listing.py",),
    tests=("versions/test_versions.py::test_a_pause_in_the_answer",),
)

QUIRKS: dict[str, Quirk] = {
    "TERMINAL_NAME": TERMINAL_NAME,
    "OLD_DIALECT": OLD_DIALECT,
    "VERSION_NEEDS_SESSION": VERSION_NEEDS_SESSION,
    "DISPLAY_TIME": DISPLAY_TIME,
    "DEADLY_VARIABLES": DEADLY_VARIABLES,
    "PROGRAM_NAME": PROGRAM_NAME,
    "DEAD_SIGNAL": DEAD_SIGNAL,
    "SERVER_ACCESS": SERVER_ACCESS,
    "ESCAPED_NAMES": ESCAPED_NAMES,
    "PANE_SCOPES": PANE_SCOPES,
    "MALFORMED_MESSAGE": MALFORMED_MESSAGE,
    "LONG_LENGTH": LONG_LENGTH,
    "DEADLY_TARGETS": DEADLY_TARGETS,
    "LINES_CUT": LINES_CUT,
    "LINES_CUT_OFTEN": LINES_CUT_OFTEN,
}
