"""The resolver on literals; the differential test against real tmux is tests/integration/test_targets.py."""

from dataclasses import replace

import pytest

from tests.support.literals.listings import listing
from tmux_exporter.analysis.schedulers.tmux_targets import Resolution, TmuxTargetKind, matches, resolve

FLEET = listing(
    {
        "orc": ["Claude-Agent", "Shell+", "2.1.27"],
        "orc2": ["main"],
        "api-v2": ["node", "node", "Shell"],
        "ünï": ["main"],
    }
)


@pytest.mark.parametrize(
    ("target", "kind", "pane"),
    [
        ("%1", TmuxTargetKind.ID, "%1"), ("%01", TmuxTargetKind.ID, "%1"), ("@1", TmuxTargetKind.ID, "%2"),
        ("$1", TmuxTargetKind.ID, "%4"), ("$0:", TmuxTargetKind.ID, "%0"),
        ("$0:@1.%1", TmuxTargetKind.ID, "%1"), ("orc:", TmuxTargetKind.EXACT, "%0"),
        ("orc:0", TmuxTargetKind.EXACT, "%0"), ("orc:01", TmuxTargetKind.EXACT, "%2"),
        ("orc:Shell.0", TmuxTargetKind.EXACT, "%1"), ("orc:.0", TmuxTargetKind.EXACT, "%0"),
        ("orc:.%2", TmuxTargetKind.EXACT, "%2"), ("=orc:=Shell", TmuxTargetKind.EXACT, "%2"),
        ("=orc:=1", TmuxTargetKind.EXACT, "%2"), ("=$0:", TmuxTargetKind.ID, "%0"),
        # A session that is gone, and one that begins alike: tmux types into the other one.
        ("api:Shell", TmuxTargetKind.PREFIX, "%7"), ("orc:Sh", TmuxTargetKind.PREFIX, "%2"),
        # Window 2 is looked up by index before one that is named 2….
        ("orc:2", TmuxTargetKind.EXACT, "%3"), ("orc2:2", TmuxTargetKind.NONE, None),
        ("*2:Shell", TmuxTargetKind.NONE, None), ("a*:Shell", TmuxTargetKind.FNMATCH, "%7"),
        ("orc:*Agent", TmuxTargetKind.FNMATCH, "%0"), ("?nï:", TmuxTargetKind.FNMATCH, "%8"),
        ("\udcc3:", TmuxTargetKind.PREFIX, "%8"), ("or:", TmuxTargetKind.NONE, None),
        ("=api:Shell", TmuxTargetKind.NONE, None), ("api-v2:node", TmuxTargetKind.NONE, None),
        ("gone:0", TmuxTargetKind.NONE, None), ("orc:9", TmuxTargetKind.NONE, None),
        ("orc:0.9", TmuxTargetKind.NONE, None), ("orc:0.%2", TmuxTargetKind.NONE, None),
        ("%99", TmuxTargetKind.NONE, None), ("$9:", TmuxTargetKind.NONE, None),
        ("orc:@3", TmuxTargetKind.NONE, None),
    ],
)  # fmt: skip
def test_a_target_resolves(target: str, kind: TmuxTargetKind, pane: str | None) -> None:
    resolution = resolve(target, FLEET)
    assert (resolution.kind, resolution.pane_id) == (kind, pane)
    assert bool(resolution.reason) == (pane is None)


@pytest.mark.parametrize(
    "target",
    [
        None, "", "orc", "orc.0", "=orc", "=", "~", "{last}", "1", "+1",
        ":0", "=:", "=:2", "orc:=", "orc:={next}", "=$x:", "$x:0", "@1:0", "%1:0", "-x:0", "^:0",
        "orc:!", "orc:+1", "orc:-0", "orc:{last}", "orc:%1", "orc:$", "orc:0.+1", "orc:0.top", "orc:0.{last}",
        "orc:0.-0", "orc[12]:0", "orc\\2:0", "/dev/pts/3:0", "pts/3:", "client-77:", "x" * 5000 + ":0",
    ],
)  # fmt: skip
def test_what_depends_on_the_sender_or_the_layout_is_not_judged(target: str | None) -> None:
    resolution = resolve(target, FLEET)
    assert (resolution.kind, resolution.pane_id) == (TmuxTargetKind.UNSUPPORTED, None)
    assert resolution.reason


def test_a_window_linked_twice_into_one_session_has_an_ambiguous_name() -> None:
    twice = replace(FLEET, links=(*FLEET.links, replace(FLEET.links[0], index=7, active=False)))
    assert resolve("orc:Claude-Agent", twice).kind is TmuxTargetKind.NONE
    assert resolve("orc:7", twice).pane_id == "%0"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("3.3a", TmuxTargetKind.NONE),
        ("3.4", TmuxTargetKind.UNSUPPORTED),
        ("next-3.5", TmuxTargetKind.UNSUPPORTED),
        ("3.5a", TmuxTargetKind.UNSUPPORTED),
        ("3.6", TmuxTargetKind.NONE),
        ("3.40", TmuxTargetKind.NONE),
    ],
)
def test_names_printed_with_escapes_prove_no_absence(version: str, kind: TmuxTargetKind) -> None:
    escaped = listing({"a\\033b": ["main"], "clean": ["main"]}, version=version)
    assert resolve("gone:0", escaped).kind is kind
    assert resolve("clean:0", escaped) == Resolution(kind=TmuxTargetKind.EXACT, pane_id="%1")


def test_a_pattern_on_bytes_that_are_no_text_is_not_judged() -> None:
    assert resolve("*:0", listing({"a\udcff": ["main"]})).kind is TmuxTargetKind.UNSUPPORTED


@pytest.mark.timeout(60)
def test_a_pattern_made_to_run_for_ever_ends() -> None:
    assert not matches("*a" * 1000 + "b", "a" * 2000)
