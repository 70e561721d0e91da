"""Every setting once: its name, type, default, kind and meaning.

A section of the file is a field of `Config`, a key of a section is a field of that section's class. The
loader, the reference page and the example file are made from these fields; a new key is one field here.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tmux_exporter.config.parsers import (
    UNIX,
    parse_host,
    parse_listen_text,
    parse_operation,
    parse_operation_pattern,
    parse_path,
    parse_server_url,
    parse_socket_path,
)
from tmux_exporter.config.schema_agents import AgentSettings
from tmux_exporter.config.types import (
    Boolean,
    Choice,
    Duration,
    Integer,
    ListOf,
    MisfitError,
    Records,
    Share,
    Size,
    Text,
    key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig:
    """How long operations may take, and how many of them; alerts and budgets measure against it."""

    operation: str = key(
        Text(what="name, `*` for any text", parser=parse_operation_pattern),
        "Which operations: one of the five classes, a name of yours, or several, such as `deploy_*`. The "
        "first entry that fits counts.",
    )
    within: float | None = key(
        Duration(at_least=0.001, at_most=7 * 86400),
        "One that takes longer is slow. Needed, unless they are excluded.",
        default=None,
    )
    share: float = key(
        Share(at_least=0.5, at_most=0.9999),
        "How many of them have to be done within it.",
        default=0.99,
    )
    excluded: bool = key(
        Boolean(), "They have no objective: nobody is told that they are slow.", default=False
    )

    def __post_init__(self) -> None:
        if self.excluded and self.within is not None:
            raise MisfitError("what is excluded has no time; leave one of both out", "within")
        if not self.excluded and self.within is None:
            raise MisfitError("this says nothing; add within, such as 30s, or excluded: true")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings:
    """Which operations are published, how long they may take, and whether tmux commands are watched."""

    names: tuple[str, ...] = key(
        ListOf(item=Text(what="a-z, 0-9 and `_`", parser=parse_operation)),
        "Operations of yours to publish from 0, whether they have been reported or not.",
        default=(),
    )
    max_names: int = key(
        Integer(at_least=0, at_most=1000),
        "Most names besides those of `names` and the five classes; reports of further ones are counted "
        "as lost.",
        default=50,
    )
    objectives: tuple[ObjectiveConfig, ...] = key(
        Records(of=ObjectiveConfig),
        "How long operations may take. Without an entry: 2 s for 99 % of each class, 5 minutes for 95 % of "
        "`recovery`, no objective for a name of yours.",
        default=(),
    )
    exemplars: bool = key(
        Boolean(),
        "Publish in OpenMetrics the last trace id of each bucket, where programs report one.",
        default=False,
    )
    watch_commands: bool = key(
        Boolean(),
        "Time every tmux command of this user, by the kernel's exec and exit events, from any program. "
        "Needs Linux 6.6, or CAP_NET_ADMIN.",
        default=False,
    )
    max_execs_per_second: int = key(
        Integer(at_least=1, at_most=100_000),
        "How many started programs are read in a second for `watch_commands`; further "
        "ones are counted as lost.",
        default=500,
    )


class Transport(StrEnum):
    """How a tmux server is asked."""

    AUTO = "auto"
    SOCKET = "socket"
    CLIENT = "client"


class ReadMode(StrEnum):
    """How processes are read."""

    FAST = "fast"
    FULL = "full"


class LogLevel(StrEnum):
    """The least important line that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class LogFormat(StrEnum):
    """The shape of a log line."""

    LOGFMT = "logfmt"
    JSON = "json"
    ECS = "ecs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """When samples are taken."""

    interval: float = key(
        Duration(at_least=0.1, at_most=300),
        "Time from one sample to the next while somebody reads them. Scrapes are served from the last "
        "sample, which is at most this old, and as long as a sample takes.",
        default=5.0,
    )
    idle_interval: float = key(
        Duration(at_least=0.1, at_most=15),
        "Longest time from one sample to the next: while nobody reads them, and between scrapes that "
        "come less often. At most half of `tmux.hold`; where it is not above `interval`, every sample "
        "is taken.",
        default=15.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TmuxSettings:
    """How tmux servers are found and asked."""

    transport: Transport = key(
        Choice(of=Transport),
        "`socket` speaks tmux's own protocol, `client` runs the server's own program as its client, "
        "`auto` speaks the protocol and falls back to the client.",
        default=Transport.AUTO,
    )
    query_timeout: float = key(
        Duration(at_least=0.1, at_most=30),
        "Deadline of one round of questions; a server that misses it counts as hung.",
        default=2.0,
    )
    hold: float = key(
        Duration(at_least=0, at_most=900),
        "For how long a server that does not answer is shown by its last complete listing.",
        default=30.0,
    )
    sockets: tuple[str, ...] = key(
        ListOf(item=Text(what="absolute path of a socket", parser=parse_socket_path)),
        "Sockets to ask besides those that are found.",
        default=(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """Where and how processes are read."""

    root: str = key(
        Text(what="absolute path", parser=parse_path),
        "Where the proc file system is mounted.",
        default="/proc",
    )
    reading: ReadMode = key(
        Choice(of=ReadMode),
        "`fast` reads what has changed, or all where that cannot be relied on; `full` reads all each "
        "time. Read at start only.",
        default=ReadMode.FAST,
    )
    lineage: bool = key(
        Boolean(),
        "Follow every fork by the kernel's process events, so that a process keeps its pane whatever it "
        "leaves behind, and orphans are counted for theirs. Needs Linux 6.6, or CAP_NET_ADMIN.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How schedulers are judged."""

    horizon: float = key(
        Duration(at_least=60, at_most=3650 * 86400),
        "A scheduler that sleeps longer than this is `immortal`, as one that sleeps for ever is.",
        default=7 * 86400.0,
    )
    duplicate_within: float = key(
        Duration(at_least=0, at_most=3650 * 86400),
        "Of schedulers that type the same into the same panes after the same sleep, the older one is a "
        "`duplicate` where the newer one is due within this time after it.",
        default=2 * 3600.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What one page may hold, and what sessions and agents may use."""

    series: int = key(
        Integer(at_least=100, at_most=1_000_000),
        "Most series on one page, without those of the exporter itself. Beyond it whole families are "
        "left out and counted, those of panes first, whether agents are up last.",
        default=200_000,
    )
    session_memory: int | None = key(
        Size(at_least=2**20, at_most=2**50, or_none=True),
        "Memory that a session may use, swap included. Alerts and boards measure against it or against "
        "what its cgroup or the host allows, whichever is lowest; nothing enforces it.",
        default=None,
    )
    agent_memory: int | None = key(
        Size(at_least=2**20, at_most=2**50, or_none=True),
        "The same for one agent; where `session_memory` is lower, that counts for its agents too.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Which families are published."""

    pane_detail: bool = key(
        Boolean(),
        "Publish for each pane every family that sessions and agents have, and what the kernel counts of a "
        "cgroup that it has to itself.",
        default=False,
    )
    ports: bool = key(
        Boolean(),
        "Read once a minute on which TCP ports the processes of agents listen "
        "(`tmux_agent_listening_processes`).",
        default=False,
    )
    workspaces: bool = key(
        Boolean(),
        "Measure the disk space of the folders that agents work in and log to (`tmux_workspace_bytes`): all "
        "files below them are looked at, slowly, every ten minutes or more.",
        default=False,
    )
    host: bool = key(
        Boolean(),
        "Read the host and publish the families `tmux_host_*`. False where node_exporter runs beside.",
        default=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The HTTP server."""

    listen_address: str = key(
        Text(what="host:port or unix:/path", parser=parse_listen_text),
        "Where to listen; `:10077` on all addresses. Port 0 takes any free one. `unix:/path` is a Unix "
        "socket of mode 0600: its user needs neither TLS nor a password there.",
        default="127.0.0.1:10077",
    )
    also_listen: tuple[str, ...] = key(
        ListOf(item=Text(what="host:port or unix:/path", parser=parse_listen_text)),
        "More addresses to listen on. With TLS or users one `unix:/path` lets the commands of the same user "
        "(`leaks`, `top`, …) go on asking the exporter.",
        default=(),
    )
    systemd_socket: bool = key(
        Boolean(),
        "Refuse to start where systemd hands over no sockets (a socket unit). Where it does, the exporter "
        "listens on these and no other, with or without this setting; commands ask at `listen_address`.",
        default=False,
    )
    config_file: str = key(
        Text(what="path of a file", parser=str),
        "TLS, users and headers, in the format of all Prometheus exporters (docs/web-config.md). It is read "
        "again when it or a certificate changes.",
        default="",
    )
    require_auth: bool = key(
        Boolean(),
        "Refuse to listen beyond loopback without users or client certificates.",
        default=False,
    )
    max_connections: int = key(
        Integer(at_least=1, at_most=10_000),
        "Most connections at once; beyond it the one that has been idle longest is closed.",
        default=256,
    )
    header_timeout: float = key(
        Duration(at_least=0.1, at_most=60),
        "A connection without a complete request header is closed after this time.",
        default=5.0,
    )
    allowed_hosts: tuple[str, ...] = key(
        ListOf(item=Text(what="host name or address, no port", parser=parse_host)),
        "DNS names that a request's Host or Origin may carry besides loopback's; where the listen "
        "address is not loopback, IP addresses and this machine's host name may too. A Prometheus "
        "that scrapes by another name needs it here.",
        default=(),
    )
    prometheus_url: str = key(
        Text(what="http:// or https:// address", parser=parse_server_url),
        "The Prometheus that scrapes this exporter: the live page shows the alerts that fire there about "
        "its own fleet, and links to it. The exporter asks it, only while somebody looks at the page, and "
        "waits for at most a second. `up` sets it. Empty: it asks nobody.",
        default="",
    )
    prometheus_token_file: str = key(
        Text(what="path of a file", parser=str),
        "A file with the bearer token for it.",
        default="",
    )
    grafana_url: str = key(
        Text(what="http:// or https:// address", parser=parse_server_url),
        "The Grafana that has the boards: what is opened on the live page links to its board there. Nobody "
        "asks it.",
        default="",
    )

    @property
    def local_address(self) -> str:
        """Where this user's own commands ask: a Unix socket, if there is one, for it needs no password."""
        addresses = (self.listen_address, *self.also_listen)
        return next((each for each in addresses if each.startswith(UNIX)), self.listen_address)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Log lines on stderr."""

    level: LogLevel = key(Choice(of=LogLevel), "Least important lines to write.", default=LogLevel.INFO)
    format: LogFormat = key(Choice(of=LogFormat), "Shape of a line.", default=LogFormat.LOGFMT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration; `Config()` is what holds without a file."""

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    tmux: TmuxSettings = field(default_factory=TmuxSettings)
    processes: ProcessSettings = field(default_factory=ProcessSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    operations: OperationSettings = field(default_factory=OperationSettings)
    schedulers: SchedulerSettings = field(default_factory=SchedulerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    web: WebSettings = field(default_factory=WebSettings)
    log: LogSettings = field(default_factory=LogSettings)
