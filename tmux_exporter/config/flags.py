"""Apply command-line flags to the configuration, with the rules of the file."""

from collections.abc import Mapping
from dataclasses import replace

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config.records import section_keys
from tmux_exporter.config.schema import Config
from tmux_exporter.config.types import ListOf, Records, Section

# Each flag and the setting that it overrides.
FLAGS: Mapping[str, tuple[str, str]] = {
    "--sampling.interval": ("sampling", "interval"),
    "--web.listen-address": ("web", "listen_address"),
    "--log.level": ("log", "level"),
    "--log.format": ("log", "format"),
}


def override(
    config: Config,
    *,
    sampling_interval: str | None = None,
    listen_address: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> Config:
    """The configuration with flags over it; the texts are what the user typed, None means not given.

    Raises ConfigError with one `--flag: text` for each wrong one.
    """
    given = {
        "--sampling.interval": sampling_interval,
        "--web.listen-address": listen_address,
        "--log.level": log_level,
        "--log.format": log_format,
    }
    problems = []
    for flag, (section_name, key) in FLAGS.items():
        text = given[flag]
        section = getattr(config, section_name)
        kind = section_keys(type(section))[key].kind
        if text is None or isinstance(kind, ListOf | Records | Section):
            continue
        try:
            section = replace(section, **{key: kind.parse(text)})
        except ValueError as error:
            problems.append(f"{flag}: {error}")
        config = replace(config, **{section_name: section})
    if problems:
        raise ConfigError(tuple(problems))
    return config
