"""Configuration files of the tests, and what is wrong with one."""

from pathlib import Path

import pytest

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config import load

FILES = Path(__file__).parents[2] / "fixtures" / "config"


def problems_of(path: Path | str) -> tuple[str, ...]:
    """The problems of a file, each without the path that it must begin with."""
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    assert caught.value.exit_code == 2
    assert str(caught.value) == "\n".join(caught.value.problems)
    return tuple(line.removeprefix(f"{path}:") for line in caught.value.problems)
