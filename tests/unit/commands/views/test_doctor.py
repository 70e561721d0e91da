"""How the findings of `doctor` stand in a terminal."""

from tmux_exporter.analysis.doctor.findings import Finding, Level
from tmux_exporter.commands.views.doctor import as_text

LONG = "server /run/user/1000/orchestrator/tmux-1000/fleet"


def finding(subject: str, text: str = "escape-time is 500", mend: str = "set it") -> Finding:
    return Finding(subject=subject, level=Level.HINT, text=text, mend=mend)


def test_a_short_subject_stands_beside_its_text() -> None:
    found = [finding("kernel", "old", ""), finding("server default", "word " * 20)]
    lines = as_text(found, 60, color=False).split("\n")
    assert lines[0] == "· kernel          old"
    assert lines[1] == "· server default  " + "word " * 7 + "word"
    assert (lines[2], lines[-3]) == (" " * 18 + "word " * 7 + "word", " " * 18 + "→ set it")
    assert lines[-1] == "0 things to mend, 2 hints"


def test_a_long_subject_leaves_its_text_the_whole_width() -> None:
    lines = as_text([finding(LONG, "word " * 30), finding("kernel", "old")], 80, color=False).split("\n")
    assert lines[0] == f"· {LONG}"
    assert lines[1].startswith("    word word") and 70 < len(lines[1]) <= 80
    assert lines[-4] == "· kernel  old", "and does not push the others aside"


def test_the_same_of_several_is_said_once() -> None:
    lines = as_text([finding("server a"), finding("kernel", "old"), finding("server b")], 80, color=False)
    assert lines.split("\n")[:4] == ["· server a", "  server b", "    escape-time is 500", "    → set it"]
    assert lines.endswith("0 things to mend, 3 hints")
    lines = as_text([finding("folders"), finding("folders")], 80, color=False)
    assert lines.split("\n")[0] == "· folders  escape-time is 500"
