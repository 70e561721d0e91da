"""The fetcher of other tmux versions: what it says, in one line, where it cannot."""

from pathlib import Path

import pytest

from tests.versions import get_tmux as fetcher
from tests.versions.get_tmux import RELEASES, GetTmuxError, get_tmux, installed_tmux, tmux_version


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, a cache of our own, and a keyring whether Debian's is installed or not."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fetcher, "KEYRING", tmp_path / "keyring.gpg")
    (tmp_path / "keyring.gpg").touch()
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_installed_tmux_is_used_where_it_is_the_one(programs: Path) -> None:
    script(programs / "tmux", "echo tmux 3.8")
    assert get_tmux("3.8") == installed_tmux() == programs / "tmux"
    # Builds up to 3.3a print the name of their own file first.
    script(programs / "tmux", "echo tmux-3.1c 3.1c")
    assert tmux_version(programs / "tmux") == "3.1c"
    assert get_tmux("3.1c") == programs / "tmux"


@pytest.mark.parametrize(
    ("apt", "message"),
    [
        (None, "no apt-get: other tmux versions are fetched on Debian only"),
        ("echo http://a.example/ubuntu/ noble main", "apt has no Debian archive here: add one"),
        ("echo http://a.example/debian/ bookworm-security main", "apt has no Debian archive here: add one"),
        ("echo E: broken sources >&2; exit 100", "apt-get indextargets failed: E: broken sources"),
        (
            "case $1 in indextargets) echo http://a.example/debian/ sid main;;"
            " *) echo W: first >&2; echo E: no network >&2; exit 100;; esac",
            "apt-get update failed: E: no network",
        ),
    ],
)
def test_one_line_says_what_is_missing(programs: Path, apt: str | None, message: str, tmp_path: Path) -> None:
    if apt:
        script(programs / "apt-get", apt)
    with pytest.raises(GetTmuxError) as caught:
        get_tmux("3.8")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("cache/**/3.8*"))


def test_an_unknown_version_and_no_tmux_at_all(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["get_tmux", "1.0"])
    assert fetcher.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"get_tmux: tmux 1.0 is not among the versions tested: {', '.join(RELEASES)}\n"
    with pytest.raises(GetTmuxError, match="tmux is not installed"):
        installed_tmux()
