"""The commands below `tmux-exporter export`: one for each kind of file, with the options that it has."""

import json
from collections.abc import Callable, Mapping
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from tmux_exporter.cli.exit import show
from tmux_exporter.cli.options import JSON

Make = Callable[..., Mapping[str, str]]


@click.group("export", short_help="Write rules, boards, units, policies … as files.")
def export() -> None:
    """Write what comes with the program into a folder: rules and routes for alerts, boards for Grafana, units
    for systemd, policies to start from, lines that help a fleet, and the runbooks.

    \b
    Example:
      tmux-exporter export rules --out /etc/prometheus/tmux
      tmux-exporter export boards --out boards
    """


def _kind(short_help: str) -> Callable[[Make], click.Command]:
    """A command that writes what a function makes, with the options that all of them have."""

    def decorate(make: Make) -> click.Command:
        def command(out: Path, force: bool, as_json: bool, **given: Any) -> None:
            from tmux_exporter.commands.export import write

            written = write(make(**given), out, force=force)
            if as_json:
                rows = [{"path": str(each.path), "status": each.status} for each in written]
                show(json.dumps({"version": 1, "files": rows}, indent=2))
            else:
                show("\n".join(f"{each.status:<10}{each.path}" for each in written))

        wrapped: Callable[..., Any] = update_wrapper(command, make)
        for option in (
            JSON,
            click.option("--force", is_flag=True, help="Overwrite files that differ."),
            click.option(
                "--out",
                required=True,
                metavar="DIR",
                type=click.Path(file_okay=False, path_type=Path),
                help="Folder to write into; made where there is none.",
            ),
        ):
            wrapped = option(wrapped)
        return export.command(short_help=short_help)(wrapped)

    return decorate


@_kind("Alerts and recorded series for Prometheus, Mimir, the operator.")
@click.option(
    "--job", default="tmux", show_default=True, help="The job_name of your scrape configuration, or a regex."
)
@click.option(
    "--engine",
    type=click.Choice(("any", "prometheus-2.42")),
    default="any",
    show_default=True,
    help="What evaluates them: with keep_firing_for beside, which Prometheus from 2.42 on reads, or without.",
)
@click.option(
    "--runbook-url",
    "runbooks",
    metavar="URL",
    help="Where the runbooks are (the project's own pages); an exporter serves them at /runbooks.",
)
@click.option(
    "--label", "labels", metavar="NAME=VALUE", multiple=True, help="For every alert; may be given again."
)
def rules(job: str, engine: str, runbooks: str | None, labels: tuple[str, ...]) -> Mapping[str, str]:
    """Write the rules: alerting/ and recording/ for Prometheus and vmalert, other/ for operator and Mimir.

    Prometheus takes `*` only as the last part of a path, so it needs two lines.

    \b
    Example:
      tmux-exporter export rules --out /etc/prometheus/tmux --job agents --label team=platform
      tmux-exporter export rules --out /etc/prometheus/tmux --job 'tmux|agents' --engine prometheus-2.42
      # rule_files: [/etc/prometheus/tmux/recording/*.yml, /etc/prometheus/tmux/alerting/*.yml]
    """
    from tmux_exporter.commands import export as making

    return making.rules(job=job, engine=engine, runbooks=runbooks, labels=labels)


def _service(receiver: str, what: str) -> Callable[[Any], Any]:
    names = ("pagerduty", "opsgenie", "slack", "teams", "discord", "telegram", "pushover", "ntfy", "email")
    return click.option(f"--{receiver}", type=click.Choice(names), help=f"By what {what} are sent.")


@_kind("Routes, receivers and messages for Alertmanager.")
@click.option("--board-url", "boards", metavar="URL", help="Your Grafana, for links in messages (no links).")
@click.option("--webhook", metavar="URL", help="Where every receiver posts (receivers to fill in).")
@_service("pager", "P1 and P2")
@_service("chat", "P3")
@_service("digest", "P4")
@click.option("--watchdog-url", metavar="URL", help="A dead man's switch, such as healthchecks.io.")
@click.option("--nights", metavar="HH:MM-HH:MM", help="When P3 and P4 keep quiet.")
@click.option("--time-zone", metavar="NAME", default="UTC", show_default=True, help="That of --nights.")
def alertmanager(**given: str | None) -> Mapping[str, str]:
    """Write Alertmanager's configuration, the same with receivers to start from, and the messages.

    \b
    Example:
      tmux-exporter export alertmanager --out alertmanager --board-url https://grafana.example.org
      tmux-exporter export alertmanager --out alertmanager --pager telegram --nights 22:00-07:00
    """
    from tmux_exporter.commands import export as making

    services = {name: given.pop(name) for name in ("pager", "chat", "digest")}
    zone = given.pop("time_zone") or "UTC"
    return making.alertmanager(services=services, time_zone=zone, **given)


@_kind("Boards for Grafana, and files that provision them.")
def boards() -> Mapping[str, str]:
    """Write the boards as Grafana imports them, and below provisioning/ what makes it read them by itself.

    The boards ask for data source and job; there is nothing to set.

    \b
    Example:
      tmux-exporter export boards --out /var/lib/grafana/dashboards/tmux-exporter
    """
    from tmux_exporter.base.shipped_files import shipped

    return shipped("boards")


@_kind("Units for systemd that start these programs.")
def units() -> Mapping[str, str]:
    """Write the units of exporter and remediator, which start the programs of this installation.

    \b
    Example:
      tmux-exporter export units --out units
      mkdir -p ~/.config/systemd/user && cp units/tmux-exporter.service ~/.config/systemd/user/
    """
    from tmux_exporter.cli.exit import own_program
    from tmux_exporter.commands import export as making

    return making.units(own_program)


@_kind("Commands and services for Nagios and Icinga.")
def nagios() -> Mapping[str, str]:
    """Write the commands, which start the program of this installation, and services that use them.

    \b
    Example:
      tmux-exporter export nagios --out /etc/nagios4/conf.d
    """
    from tmux_exporter.cli.exit import own_program
    from tmux_exporter.commands import export as making

    return making.nagios(own_program)


@_kind("Templates for Zabbix, to be imported.")
def zabbix() -> Mapping[str, str]:
    """Write a template for Zabbix 6.0 and one for 7.0, which discover servers, sessions and agents.

    \b
    Example:
      tmux-exporter export zabbix --out zabbix
    """
    from tmux_exporter.commands import export as making

    return making.zabbix()


@_kind("Policies for the remediator to start from.")
def policies() -> Mapping[str, str]:
    """Write the policies to start from, and the schema by which an editor checks them.

    \b
    Example:
      tmux-exporter export policies --out .
      tmux-remediator check-config policies.yml
    """
    from tmux_exporter.base.shipped_files import shipped

    return shipped("policies")


@_kind("Lines for tmux and the kernel that help a fleet.")
def tuning() -> Mapping[str, str]:
    """Write the lines for tmux, the kernel and its limits of which `doctor` says what is missing.

    \b
    Example:
      tmux-exporter export tuning --out tuning
      sudo cp tuning/limits.conf /etc/security/limits.d/60-agents.conf
    """
    from tmux_exporter.base.shipped_files import shipped

    return shipped("tuning")


@_kind("The page of each alert, to be served where you read.")
def runbooks() -> Mapping[str, str]:
    """Write the runbooks: one page in Markdown for each alert, and an index.

    \b
    Example:
      tmux-exporter export runbooks --out wiki/tmux
      tmux-exporter export rules --out /etc/prometheus/tmux --runbook-url https://wiki.example.org/tmux
    """
    from tmux_exporter.commands import export as making

    return making.runbooks()
