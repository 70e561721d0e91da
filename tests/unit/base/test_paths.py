import os
from pathlib import Path

import pytest

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import private_folder, runtime_path, state_path


def test_the_session_manager_s_folder_comes_first() -> None:
    assert runtime_path({"XDG_RUNTIME_DIR": "/run/x"}, 1000) == Path("/run/x/tmux-exporter")


def test_without_a_session_the_folder_is_in_tmp_with_the_uid_in_its_name() -> None:
    assert runtime_path({}, 987654321) == Path("/tmp/tmux-exporter-987654321")


def test_state_goes_where_the_user_says_else_into_the_home() -> None:
    assert state_path({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/tmux-exporter")
    assert state_path({"HOME": "/h"}) == Path("/h/.local/state/tmux-exporter")


def test_a_relative_base_folder_does_not_count() -> None:
    assert runtime_path({"XDG_RUNTIME_DIR": "run"}, 987654321) == Path("/tmp/tmux-exporter-987654321")
    assert state_path({"XDG_STATE_HOME": "state", "HOME": "/h"}) == Path("/h/.local/state/tmux-exporter")


def test_a_private_folder_is_made_with_its_parents_and_only_for_us(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "b", os.getuid())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folder(folder, os.getuid()) == folder


def test_an_open_folder_of_ours_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    assert private_folder(folder, os.getuid()).stat().st_mode & 0o777 == 0o700


def test_somebody_else_s_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotSeeError, match=f"belongs to uid {os.getuid()}, not to 12345"):
        private_folder(tmp_path, 12345)


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(CannotSeeError, match="not a folder of ours"):
        private_folder(tmp_path / "link", os.getuid())


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_way_is_said_with_the_mend(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(CannotSeeError, match="set XDG_STATE_HOME"):
        private_folder(tmp_path / place, os.getuid())
