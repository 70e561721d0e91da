"""How each block of code of a page is tried, and the one list of what cannot be."""

from enum import StrEnum
from pathlib import Path

import yaml

from tests.support.pages.markdown import Block
from tmux_exporter.config.load import section_classes


class Trial(StrEnum):
    """What is done with a block."""

    SHELL = "each command is run in a scratch home: tests/shipped/test_commands.py"
    RUNBOOK = "each command is run on what was planted: tests/e2e/test_runbook_commands.py"
    TRANSCRIPT = "its first line is run, and what that prints has the lines of the block"
    QUERY = "Prometheus answers it, with series of a real exporter: tests/e2e/test_runbook_commands.py"
    PROMETHEUS = "promtool and a real Prometheus load it"
    POLICIES = "check-config takes it, and the remediator runs with it"
    STEPS = "as POLICIES, as the steps of a policy"
    SETTINGS = "check-config takes it, and the exporter runs with it"
    PYTHON = "it is run"
    KUSTOMIZE = "it is rendered, and schemas take that: tests/integration/test_kubernetes.py"
    CONTAINER = "podman runs it, in a store of its own: tests/integration/test_container.py"
    ANSIBLE = "played on a second systemd: tests/e2e/test_ansible.py"
    INSTALL = "run in a clean Debian 12 and 13: tests/e2e/test_debian_packages.py"
    SYNOPSIS = "its commands and flags exist: tests/shipped/test_names.py"


CONTAINERS, KUBERNETES = Path("docs/containers.md"), Path("docs/kubernetes.md")
ANSIBLE, INSTALL = Path("docs/ansible.md"), Path("docs/install.md")
_BENCH = "takes an hour; tests/e2e/test_bench.py runs the quick one"
_ITSELF = "this test is a part of it"
_NO_NETWORK = "asks a package index, of which a machine of tests may have none"
_NO_SYSTEMD = "asks a service manager, which a container has not"
_UNITS = f"{_NO_SYSTEMD}; tests/guest/units.py does it on a machine"

CANNOT: dict[tuple[str, str], str] = {
    ("CONTRIBUTING.md", "make test"): _ITSELF,
    ("README.md", "make test"): _ITSELF,
    ("bench/README.md", "make bench"): _BENCH,
    ("bench/README.md", "python -m bench "): _BENCH,
    ("bench/README.md", "python -m bench."): "measures for minutes, and nothing but this machine",
    ("bench/README.md", "apt-get download"): _NO_NETWORK,
    ("bench/README.md", "PROCESS_EXPORTER="): _BENCH,
    ("docs/dashboards.md", "sudo systemctl restart"): _NO_SYSTEMD,
    ("docs/design.md", "cli "): "a picture of the floors, which import-linter holds",
    ("docs/design.md", "tmux-exporter plan (capacity)"): "what is planned",
    (
        "docs/remediator.md",
        "level=warning msg=",
    ): "a log line, held by tests/integration/test_remediator_single_loop.py",
    (
        "docs/kubernetes.md",
        "kubectl apply",
    ): "asks a cluster; test_kubernetes.py renders and judges the folders",
    ("docs/remediator.md", "sudo systemctl"): _NO_SYSTEMD,
    ("docs/remediator.md", "sudo loginctl"): _NO_SYSTEMD,
    ("docs/schedulers.md", "SECONDS=$(echo"): "the mistake that the page explains",
    ("docs/spending.md", "{"): "a file, read by tests/unit/sources/spending/test_price_file.py",
    ("docs/service.md", "pipx install"): _NO_NETWORK,
    ("docs/service.md", "pipx uninstall"): _NO_NETWORK,
    ("docs/service.md", "rm ~/.config"): _UNITS,
    ("docs/service.md", "systemctl --user"): _UNITS,
    ("docs/service.md", "sudo loginctl"): _UNITS,
    ("docs/service.md", "sudo PIPX_HOME="): _NO_NETWORK,
    ("docs/service.md", "sudo rm -r"): _UNITS,
    ("docs/service.md", "sudo systemctl"): _UNITS,
    ("docs/remediator.md", "systemctl --user"): _UNITS,
}
"""What no test runs here, and why: its page, and how its first line (of shell: the command itself) begins."""


def is_listed(page: Path, line: str) -> bool:
    """Whether a line stands in the list."""
    return any(str(page) == where and line.startswith(begins) for where, begins in CANNOT)


def trial(block: Block) -> Trial | None:
    """How a block is tried; None where nothing tries it."""
    in_runbook = block.page.parts[:2] == ("docs", "runbooks")
    match block.language:
        case "sh" | "yaml" if block.page == ANSIBLE:
            return Trial.ANSIBLE
        case "sh" if block.page == CONTAINERS:
            return Trial.CONTAINER
        case "sh" if block.page == INSTALL:
            return Trial.INSTALL
        case "sh":
            return Trial.RUNBOOK if in_runbook else Trial.SHELL
        case "console":
            return Trial.TRANSCRIPT if block.first.startswith("$ ") else None
        case "promql":
            return Trial.QUERY
        case "yaml":
            return _of_yaml(block)
        case "python":
            return Trial.PYTHON
        case "text":
            return Trial.SYNOPSIS if block.first.startswith(("tmux-exporter ", "tmux-remediator ")) else None
        case _:
            return None


def _of_yaml(block: Block) -> Trial | None:
    keys = set(yaml.safe_load(block.text))
    if keys <= {"rule_files", "scrape_configs", "alerting", "global"}:
        return Trial.PROMETHEUS
    if keys == {"apiVersion", "kind", "policies"}:
        return Trial.POLICIES
    if block.page == KUBERNETES:
        return Trial.KUSTOMIZE
    if keys == {"actions"}:
        return Trial.STEPS
    return Trial.SETTINGS if keys <= section_classes().keys() else None
