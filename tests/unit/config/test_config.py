"""The configuration: every mistake with its exact message, every default, both generated texts."""

import os
import re
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.literals.config import FILES, problems_of
from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config import (
    AgentSettings,
    Config,
    ExpectedAgent,
    LimitSettings,
    ListenAddress,
    LogFormat,
    LogLevel,
    LogSettings,
    MetricsSettings,
    NameConfig,
    ObjectiveConfig,
    OperationSettings,
    ProcessSettings,
    ReadMode,
    RoleConfig,
    SamplingSettings,
    SchedulerSettings,
    SignatureConfig,
    TmuxSettings,
    Transport,
    WebSettings,
    defaults,
    load,
    override,
    parse_duration,
    parse_listen_address,
    parse_size,
)
from tmux_exporter.config.file import LARGEST
from tmux_exporter.config.load import section_classes
from tmux_exporter.config.nodes import MOST_PROBLEMS
from tmux_exporter.config.parsers import format_duration, format_share, format_size, parse_share
from tmux_exporter.config.records import section_keys
from tmux_exporter.config.reference import example, markdown

REPOSITORY = Path(__file__).parents[3]
EXAMPLE = REPOSITORY / "deploy" / "tmux-exporter.example.yml"
REFERENCE = REPOSITORY / "docs" / "configuration.md"


def problems_in(text: str | bytes, folder: Path) -> tuple[str, ...]:
    """The problems of a file with this content."""
    path = folder / "config.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return problems_of(path)


def test_no_file_means_defaults() -> None:
    assert load(None) == defaults() == Config()
    assert Config().sampling.interval == 5.0
    assert Config().web.listen_address == "127.0.0.1:10077"


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "# nothing\n", "---\n", "--- {}\n", "sampling:\n", "sampling: {}\ntmux:\n  # hold: 1m\n",
        "\ufeff{}\n",
    ],
)  # fmt: skip
def test_an_empty_file_and_empty_sections_mean_defaults(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text)
    assert load(str(path)) == Config()


def test_every_setting_is_read() -> None:
    config = load(str(FILES / "full.yml"))
    assert config == Config(
        sampling=SamplingSettings(interval=0.25, idle_interval=8.0),
        tmux=TmuxSettings(
            transport=Transport.CLIENT, query_timeout=1.5, hold=60.0, sockets=("/tmp/one", "/tmp/two words")
        ),
        processes=ProcessSettings(root="/host/proc", reading=ReadMode.FULL, lineage=True),
        agents=AgentSettings(
            signatures=(
                SignatureConfig(
                    program="mine", argv0=("mine", "mine-cli"), exe=("*/bin/mine",), script=("*/mine/cli.js",)
                ),
                SignatureConfig(program="other", argv0=("12",)),
            ),
            names=(NameConfig(name="boss", windows=("boss*",), sessions=("shop",)),),
            roles=(RoleConfig(role="lead", windows=("boss*",), sessions=("shop",)),),
            pane_text=False,
            usage=False,
            prices="/etc/tmux-exporter/prices.json",
            expected=(
                ExpectedAgent(session="shop", agent="lead"),
                ExpectedAgent(session="nightly", agent="qa", server="ci"),
            ),
        ),
        operations=OperationSettings(
            names=("deploy", "code_review"),
            max_names=5,
            objectives=(
                ObjectiveConfig(operation="deploy", within=300.0, share=0.995),
                ObjectiveConfig(operation="test_*", excluded=True),
            ),
            exemplars=True,
            watch_commands=True,
            max_execs_per_second=100,
        ),
        schedulers=SchedulerSettings(horizon=48 * 3600.0, duplicate_within=1800.0),
        limits=LimitSettings(series=5000, session_memory=3 * 2**29, agent_memory=2**29),
        metrics=MetricsSettings(pane_detail=True, workspaces=True, ports=True, host=False),
        web=WebSettings(
            listen_address="[::1]:0",
            also_listen=("unix:/run/user/1000/tmux-exporter.sock",),
            systemd_socket=True,
            config_file="/etc/tmux-exporter/web.yml",
            require_auth=True,
            max_connections=64,
            header_timeout=10.0,
            allowed_hosts=("exporter.example.org", "192.0.2.7"),
            prometheus_url="https://prometheus.example.org:9090/team",
            prometheus_token_file="/etc/tmux-exporter/token",
            grafana_url="https://grafana.example.org",
        ),
        log=LogSettings(level=LogLevel.DEBUG, format=LogFormat.JSON),
    )
    for section in fields(config):
        chosen, default = getattr(config, section.name), getattr(Config(), section.name)
        for key in section_keys(type(chosen)):
            assert getattr(chosen, key) != getattr(default, key), f"full.yml leaves {section.name}.{key} out"


def test_the_example_file_holds_every_default() -> None:
    text = EXAMPLE.read_text()
    assert load(str(EXAMPLE)) == Config()
    for name, section in section_classes().items():
        assert f"\n{name}:\n" in text
        for key in section_keys(section):
            assert re.search(rf"^  {key}:", text, re.MULTILINE), f"{name}.{key} is not in the example"


def test_the_generated_texts_are_current() -> None:
    assert markdown() == REFERENCE.read_text(), "python -m tmux_exporter.config.reference markdown"
    assert example() == EXAMPLE.read_text(), "python -m tmux_exporter.config.reference example"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    utf8 = "is not UTF-8; save the file as UTF-8"
    assert problems_in(b"sampling:\n  interval: 5\xe9s\n", tmp_path) == (f"2:14: byte 0xe9 {utf8}",)
    assert problems_in("sampling:\n".encode("utf-16"), tmp_path) == (f"1:1: byte 0xff {utf8}",)
    nul = "control character U+0000 is not allowed; remove it"
    assert problems_in(b"sampling:\n  interval: 5s\0\n", tmp_path) == (f"2:15: {nul}",)
    assert problems_in("# é\x1b\n", tmp_path) == ("1:4: control character U+001B is not allowed; remove it",)


def test_a_file_of_one_mebibyte_is_the_largest(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("#" * (LARGEST - 1) + "\n")
    assert load(str(path)) == Config()
    too_large = "1:1: the file is larger than 1 MiB; name a configuration file"
    assert problems_in("#" * LARGEST + "\n", tmp_path) == (too_large,)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == ("1:1: this is a folder; name the file in it",)
    zero = tmp_path / "zero.yml"
    zero.symlink_to("/dev/zero")
    assert problems_of(zero) == ("1:1: this is no regular file and no pipe; name a YAML file",)
    fifo = tmp_path / "fifo.yml"
    os.mkfifo(fifo)
    assert problems_of(fifo) == ("1:1: nothing wrote into this pipe; check the command that should",)
    assert load("/dev/null") == Config()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    cannot = "1:1: cannot read this file:"
    assert problems_of(tmp_path / "none.yml") == (
        f"{cannot} No such file or directory; name an existing file, or none to run with the defaults",
    )
    assert problems_of("/dev/null/config.yml") == (f"{cannot} Not a directory; name a readable file",)
    loop = tmp_path / "loop.yml"
    loop.symlink_to(loop)
    assert problems_of(loop) == (f"{cannot} Too many levels of symbolic links; name the file itself",)


def test_a_file_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("sampling:\n")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        found = problems_of(path)
    finally:
        os.seteuid(user)
    assert found == ("1:1: cannot read this file: Permission denied; make it readable for this user",)


def test_a_path_with_a_newline_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path / "a\nb.yml"))
    assert caught.value.problems[0].startswith(f"{tmp_path}/a\\nb.yml:1:1: cannot read")


def test_the_list_of_problems_has_an_end(tmp_path: Path) -> None:
    found = problems_in("".join(f"a{number}:\n" for number in range(100_000)), tmp_path)
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == "100:1: and more; mend these 100 first"


def test_a_number_of_any_length_is_out_of_range(tmp_path: Path) -> None:
    (found,) = problems_in("limits:\n  series: " + "9" * 900_000, tmp_path)
    assert found == f"2:11: limits.series: '{'9' * 59}…' is out of range; allowed is 100 to 1000000"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "tmux:\n  sockets:\n" + "".join(f"  - /{number}\n" for number in range(80_000)), "[" * 500_000,
        "{a: " * 200_000, "? " * 400_000, "- " * 400_000, "&a " * 300_000,
        "limits:\n  series: " + "9" * 900_000, "sampling:\n  interval: " + "9" * 900_000 + "s",
        "a: &a [x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\n" * 8_000,
    ],
)  # fmt: skip
def test_a_file_that_wants_to_be_expensive_is_not(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text)
    try:
        load(str(path))
    except ConfigError as error:
        assert all(len(line) < 400 + len(str(path)) for line in error.problems)


YAML_WORDS = (
    "sampling tmux interval sockets agents signatures 5s no 1:30 &a *a !!str << --- # | > @ % é ' [ ] { }"
)
YAML_PIECES = [
    *YAML_WORDS.split(" "),
    *('"', ":", ": ", "- ", "? ", ", ", "\n", "\n  ", "\n    ", "\t", "\r", "\u202e", "\x85", "\u2028"),
]
yaml_like = st.lists(st.sampled_from(YAML_PIECES), max_size=40).map("".join)


@settings(max_examples=examples(300), deadline=None)
@given(st.one_of(yaml_like.map(str.encode), st.binary(max_size=80)))
def test_any_file_is_read_or_refused_in_lines_with_a_place(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yml") as file:
        file.write(content)
        file.flush()
        try:
            load(file.name)
        except ConfigError as error:
            places = []
            for line in error.problems:
                match = re.fullmatch(re.escape(file.name) + r":([0-9]+):([0-9]+): (.+)", line)
                assert match, repr(line)
                assert match[3].isprintable()
                places.append((int(match[1]), int(match[2])))
            assert places == sorted(places)
            assert places


def test_flags_win_over_the_file() -> None:
    config = override(
        load(str(FILES / "full.yml")),
        sampling_interval="1s",
        listen_address="localhost:0",
        log_level="error",
        log_format="logfmt",
    )
    assert (config.sampling.interval, config.web.listen_address) == (1.0, "localhost:0")
    assert config.web.max_connections == 64
    assert config.log == LogSettings(level=LogLevel.ERROR, format=LogFormat.LOGFMT)
    assert override(config) == config


def test_wrong_flags_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        override(Config(), sampling_interval="0s", listen_address="localhost", log_level="verbose")
    assert caught.value.problems == (
        "--sampling.interval: '0s' is out of range; allowed is 100ms to 5m",
        "--web.listen-address: 'localhost' has no port; write host:port, such as 127.0.0.1:10077",
        "--log.level: 'verbose' is not one of debug, info, warn, error; write one of them",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5s", 5.0), ("0s", 0.0), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["5", "", "s", "-5s", "5 s", "5S", "5m30s", "1:30", "1e3s", "٥s", "5s\n", ".5s", "5.s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"[;:] write "):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


def test_sizes() -> None:
    assert [parse_size(text) for text in ("0B", "1KiB", "64MiB", "1.5GiB", "1TiB")] == [
        0,
        1024,
        64 * 2**20,
        3 * 2**29,
        2**40,
    ]
    with pytest.raises(
        ValueError, match=re.escape("'64MB' is unknown; units are B, KiB, MiB, GiB, TiB: write 64MiB")
    ):
        parse_size("64MB")
    with pytest.raises(ValueError, match="is not a size; write a number and a unit, for example 5MiB"):
        parse_size("9" * 400 + "B")


def test_a_written_share_is_read_back() -> None:
    for text in ("50%", "99%", "99.5%", "99.99%"):
        assert format_share(parse_share(text)) == text
    assert parse_share("99.5%") == pytest.approx(0.995)


@given(
    size=st.one_of(st.integers(0, 10**15 - 1), st.integers(0, 2**20).map(lambda mebibytes: mebibytes << 20))
)
def test_a_written_size_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size
    assert format_size(3 * 2**29) == "1536MiB"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:10077", ListenAddress("127.0.0.1", 10077)),
        ("[::1]:0", ListenAddress("::1", 0)),
        ("LocalHost:65535", ListenAddress("localhost", 65535)),
        ("0.0.0.0:1", ListenAddress("0.0.0.0", 1)),
    ],
)
def test_listen_addresses(text: str, address: ListenAddress) -> None:
    assert parse_listen_address(text) == address


@pytest.mark.parametrize(
    "text", ["[::1]", "[]:1", "a b:1", "[localhost:1", "x:-1", "x:１", "x:999999999999", "a/b:1", "\n:1"]
)
def test_what_is_no_listen_address(text: str) -> None:
    with pytest.raises(ValueError, match="; "):
        parse_listen_address(text)


def test_every_setting_is_read_by_the_program() -> None:
    package = REPOSITORY / "tmux_exporter"
    code = "".join(path.read_text() for path in package.rglob("*.py") if not path.name.startswith("config_"))
    keys = {key for section in section_classes().values() for key in section_keys(section)}
    unread = {key for key in keys | set(section_keys(SignatureConfig)) if not re.search(rf"\.{key}\b", code)}
    assert unread == set(), "a setting that no code reads promises what nobody keeps"
