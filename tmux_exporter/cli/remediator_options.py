"""Options that several commands of the remediator have."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import click

from tmux_exporter.config import Config, load, override

TARGETS = "PID|%PANE|agent:NAME|session:NAME|server:NAME|all"

JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
POLICY = click.option(
    "--policy", "policy_path", metavar="FILE|FOLDER", help="Policies instead of the built-in one."
)
SERVERS = click.option("--server", "servers", metavar="NAME", multiple=True, help="Only at this tmux server.")
SERVER = click.option("--server", default="", metavar="NAME", help="Only at this tmux server, by its label.")
CONFIG = click.option(
    "--config",
    "--config.file",
    "config_path",
    metavar="FILE",
    help="The exporter's configuration file (YAML).",
)
_INTERVAL = click.option(
    "--interval", metavar="TIME", default="500ms", show_default=True, help="Time between samples."
)


def looking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that take samples, handed on as `load_config`."""

    def with_config(interval: str, config_path: str | None, **given: Any) -> Any:
        def load_config() -> Config:
            return override(load(config_path), sampling_interval=interval)

        return command(load_config=load_config, **given)

    return _INTERVAL(CONFIG(update_wrapper(with_config, command)))
