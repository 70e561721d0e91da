"""Options that several commands of both programs have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce, update_wrapper
from typing import Any

import click

from tmux_exporter.config import Config, load, override
from tmux_exporter.config.flags import FLAGS

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def config_file(meaning: str) -> Option:
    """The option that names the configuration file."""
    return click.option("--config", "--config.file", "config_path", metavar="FILE", help=meaning)


JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
LOG_LEVEL = click.option("--log.level", "log_level", metavar="LEVEL", help="debug, info, warn or error.")
LOG_FORMAT = click.option("--log.format", "log_format", metavar="FORMAT", help="logfmt, json or ecs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Loads the configuration: the file at `path` with the flags over it; may be called again."""

    path: str | None
    flags: Mapping[str, str | None]

    def __call__(self) -> Config:
        """Load it. Raises ConfigError."""
        return override(load(self.path), **self.flags)

    def unless_given(self, **flags: str) -> "Loader":
        """With these flags where the command line has none."""
        given = {name: value for name, value in self.flags.items() if value is not None}
        return Loader(path=self.path, flags=flags | given)


def settings(*options: Option) -> Option:
    """Options of a command that needs the configuration: with all flags handed on as `load_config`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        def with_config(config_path: str | None, **given: Any) -> object:  # noqa: ANN401 - options of any type
            first, *more = given.pop("listen_addresses", ()) or (None,)
            given |= {"listen_address": first, "also_listen": "\n".join(more)} if first else {}
            flags = {name: given.pop(name) for name in FLAGS if name in given}
            return command(load_config=Loader(path=config_path, flags=flags), **given)

        wrapped: Callable[..., Any] = update_wrapper(with_config, command)
        return reduce(lambda made, option: option(made), reversed(options), wrapped)

    return decorate


TARGETS = "PID|%PANE|agent:NAME|session:NAME|server:NAME|all"

POLICY = click.option(
    "--policy", "policy_path", metavar="FILE|FOLDER", help="Policies instead of the built-in one."
)
SERVERS = click.option("--server", "servers", metavar="NAME", multiple=True, help="Only at this tmux server.")
SERVER = click.option("--server", default="", metavar="NAME", help="Only at this tmux server, by its label.")
CONFIG_OF_EXPORTER = config_file("The exporter's configuration file (YAML).")
looking = settings(
    click.option(
        "--interval",
        "sampling_interval",
        metavar="TIME",
        default="500ms",
        show_default=True,
        help="Time between samples.",
    ),
    CONFIG_OF_EXPORTER,
)
"""The options of the remediator's commands that take samples."""
