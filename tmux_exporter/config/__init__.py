"""The configuration: one optional YAML file -> one frozen `Config`; this is what others import."""

from tmux_exporter.config.flags import override
from tmux_exporter.config.load import defaults, load
from tmux_exporter.config.parsers import ListenAddress, parse_duration, parse_listen_address, parse_size
from tmux_exporter.config.schema import (
    Config,
    LimitSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    MetricsSettings,
    ObjectiveConfig,
    OperationSettings,
    ProcessSettings,
    ReadMode,
    SamplingSettings,
    SchedulerSettings,
    TmuxSettings,
    Transport,
    WebSettings,
)
from tmux_exporter.config.schema_agents import (
    AgentSettings,
    ExpectedAgent,
    NameConfig,
    RoleConfig,
    SignatureConfig,
)

__all__ = [
    "AgentSettings",
    "Config",
    "ExpectedAgent",
    "LimitSettings",
    "ListenAddress",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "MetricsSettings",
    "NameConfig",
    "ObjectiveConfig",
    "OperationSettings",
    "ProcessSettings",
    "ReadMode",
    "RoleConfig",
    "SamplingSettings",
    "SchedulerSettings",
    "SignatureConfig",
    "TmuxSettings",
    "Transport",
    "WebSettings",
    "defaults",
    "load",
    "override",
    "parse_duration",
    "parse_listen_address",
    "parse_size",
]
