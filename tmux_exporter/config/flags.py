"""Apply command-line flags to the configuration, with the rules of the file."""

from collections.abc import Mapping
from dataclasses import replace

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config.records import section_keys
from tmux_exporter.config.schema import Config
from tmux_exporter.config.types import ListOf, Records, Section

FLAGS: Mapping[str, tuple[str, str, str]] = {
    "sampling_interval": ("--sampling.interval", "sampling", "interval"),
    "listen_address": ("--web.listen-address", "web", "listen_address"),
    "also_listen": ("--web.listen-address", "web", "also_listen"),
    "systemd_socket": ("--web.systemd-socket", "web", "systemd_socket"),
    "web_config": ("--web.config.file", "web", "config_file"),
    "log_level": ("--log.level", "log", "level"),
    "log_format": ("--log.format", "log", "format"),
}
"""Each flag, and the section and key of the setting that it overrides, by the name of its parameter."""


def override(config: Config, **given: str | None) -> Config:
    """The configuration with flags of FLAGS over it; the texts are what the user typed, None means not given.

    Raises ConfigError with one `--flag: text` for each wrong one.
    """
    problems = []
    for name, text in given.items():
        flag, section_name, key = FLAGS[name]
        section = getattr(config, section_name)
        kind = section_keys(type(section))[key].kind
        if text is None or isinstance(kind, Records | Section):
            continue
        try:
            # A line of a list is one of several values of the flag.
            value = (
                tuple(map(kind.item.parse, text.splitlines()))
                if isinstance(kind, ListOf)
                else kind.parse(text)
            )
            section = replace(section, **{key: value})
        except ValueError as error:
            problems.append(f"{flag}: {error}")
        config = replace(config, **{section_name: section})
    if problems:
        raise ConfigError(tuple(problems))
    return config
