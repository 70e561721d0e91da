"""The configuration: one optional YAML file -> one frozen `Config`."""

from tmux_exporter.config_schema import (
    AgentSettings,
    Config,
    LimitSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    MetricsSettings,
    ProcessSettings,
    SamplingSettings,
    SignatureConfig,
    TmuxSettings,
    Transport,
    WebSettings,
)
from tmux_exporter.config_values import (
    ListenAddress,
    parse_duration,
    parse_listen_address,
    parse_ratio,
    parse_size,
)

__all__ = [
    "AgentSettings",
    "Config",
    "LimitSettings",
    "ListenAddress",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "MetricsSettings",
    "ProcessSettings",
    "SamplingSettings",
    "SignatureConfig",
    "TmuxSettings",
    "Transport",
    "WebSettings",
    "defaults",
    "parse_duration",
    "parse_listen_address",
    "parse_ratio",
    "parse_size",
]


def defaults() -> Config:
    """The configuration that holds without a file."""
    return Config()
