"""What was ended and what may be: `audit`, `plan`, `apply`."""

import os

import click

from tmux_exporter.cli.exit import LOOKING, progress, show
from tmux_exporter.cli.options import CONFIG_OF_EXPORTER, JSON, POLICY, SERVERS, Loader, looking, settings


@click.command(short_help="Show what was done, and whether the record is whole.")
@click.option("--kind", metavar="KIND", help="Only records of this kind: start, intent, outcome, …")
@click.option("--policy", metavar="NAME", help="Only acts of this policy.")
@click.option("--pid", type=click.IntRange(1), metavar="PID", help="Only acts on this process.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the last N of them.")
@click.option("--verify", is_flag=True, help="Show nothing but whether the chain of records is whole.")
@click.option("--replay", is_flag=True, help="Derive each decision again from what its record holds.")
@JSON
@click.option("--format", "form", type=click.Choice(["table", "json", "ecs"]), help="ecs: for a log server.")
def audit(
    *,
    kind: str | None,
    policy: str | None,
    pid: int | None,
    last: int | None,
    verify: bool,
    replay: bool,
    as_json: bool,
    form: str | None,
) -> int:
    """Show every record of the audit and verify its chain: exit code 1 where that is broken.

    An outcome is shown with the act that it is of. With --replay exit code 1 also says that a decision does
    not follow from its record by the rules of this version.

    \b
    Example:
      tmux-remediator audit --last 20
      tmux-remediator audit --verify
      tmux-remediator audit --replay --policy orphaned-schedulers
      tmux-remediator audit --format ecs >audit.ndjson
      tmux-remediator audit --json | jq '.records[] | select(.kind == "outcome")'
    """
    from tmux_exporter.base.paths import REMEDIATOR_AUDIT, state_path
    from tmux_exporter.commands.views.audit import Wanted
    from tmux_exporter.commands.views.audit import load as load_audit

    path = state_path(os.environ) / REMEDIATOR_AUDIT
    view = load_audit(path)
    shown = view.only(Wanted(kind=kind, policy=policy, pid=pid, last=last))
    for fault in view.faults:
        click.echo(f"{path}: {fault}", err=True)
    if replay:
        from tmux_exporter.remediator.record.replay import decisions, differences

        wrong = tuple(differences(shown.records))
        for each in wrong:
            click.echo(f"{path}: {each}", err=True)
        count = len(decisions(shown.records))
        show(f"{count} decisions; not derived from their record: {len(wrong)}")
        return 1 if view.faults or wrong else 0
    if form == "ecs":
        show(shown.as_ecs())
    elif as_json or form == "json":
        show(shown.as_json())
    elif not view.lines:
        show(f"nothing is on record: there is no {path}")
    elif verify:
        show(view.verdict())
    elif shown.lines:
        show(shown.as_table())
    else:
        show(f"nothing of that is on record: {len(view.lines)} lines of others")
    return 1 if view.faults else 0


@click.command(short_help="Show what policies would end now; keep it as a plan.")
@POLICY
@SERVERS
@looking
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="Keep the plan in this file.")
@click.option("--json", "as_json", is_flag=True, help="Show the plan itself.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json"]),
    help="markdown: a report of what would end, why, and what that would win back.",
)
def plan(
    *,
    policy_path: str | None,
    servers: tuple[str, ...],
    load_config: Loader,
    out: str | None,
    as_json: bool,
    form: str | None,
) -> int:
    """Look three times and show what the policies would end, without their waits: exit code 1 if anything.

    Nothing is signalled. Policies whose mode is observe are left out; so is what a veto, a hold, @protect or
    one of its own processes (it listens, say) speaks against.

    \b
    Example:
      tmux-remediator plan --policy policies.yml --out plan.json
      tmux-remediator plan --policy policies.yml --format markdown >report.md
      tmux-remediator apply plan.json --sha256 HASH --policy policies.yml
    """
    from pathlib import Path

    from tmux_exporter.commands.views.plan import planned
    from tmux_exporter.commands.views.plan_report import markdown
    from tmux_exporter.remediator.record.plan import digest
    from tmux_exporter.remediator.record.plan_file import write
    from tmux_exporter.remediator.service import make_plan, read_policies

    config, policies = load_config(), read_policies(policy_path, os.getuid(), servers)
    with progress(LOOKING):
        made, report = make_plan(config, os.environ, policies, lambda words: click.echo(words, err=True))
    content = made.render()
    if as_json or form == "json":
        show(content)
    elif form == "markdown":
        show(markdown(made, report))
    elif made.orders:
        show(planned(made.orders))
    else:
        show("nothing to end")
        click.echo("what is left alone, and why: tmux-remediator check-config FILE --against-live", err=True)
    if out is not None and made.orders:
        write(Path(out), content)
        click.echo(
            f"kept in {out}; to do it: tmux-remediator apply {out} --sha256 {digest(content)}", err=True
        )
    return 1 if made.orders else 0


@click.command(name="apply", short_help="End exactly what a plan says, each verified again.")
@click.argument("path", metavar="PLAN", type=click.Path(dir_okay=False))
@click.option("--sha256", metavar="HASH", required=True, help="The hash of the plan that you have read.")
@click.option("--policy", "policy_path", metavar="FILE|FOLDER", help="The policies that it was made by.")
@click.option("--server", "servers", metavar="NAME", multiple=True, help="As it was made.")
@settings(CONFIG_OF_EXPORTER)
@JSON
def apply_command(
    *,
    path: str,
    sha256: str,
    policy_path: str | None,
    servers: tuple[str, ...],
    load_config: Loader,
    as_json: bool,
) -> int:
    """End what a plan says and nothing else: exit code 1 where something of it lives on.

    Each target is read again as before every act: a target that has changed is left alone. A plan is
    good for an hour or what its policies say, on this boot, by unchanged policies. No remediator may run.
    Ctrl-C ends it after the act that has begun.

    \b
    Example:
      tmux-remediator apply plan.json --sha256 HASH
    """
    from tmux_exporter.commands.views.plan import applied, applied_json
    from tmux_exporter.remediator.record.plan_file import read_bytes
    from tmux_exporter.remediator.service import apply_plan, read_policies
    from tmux_exporter.remediator.stop import Stop

    config = load_config()
    policies = read_policies(policy_path, os.getuid(), servers)
    content, stop, results = read_bytes(path), Stop(), []
    with progress("taking a new sample, a cycle after the plan was made, and ending what it says"):
        for order, ended, words in apply_plan(
            config, os.environ, policies, content, sha256, stopping=lambda: stop.asked
        ):
            click.echo(f"{order.target.kind} {order.target.processes[0].pid}: {words}", err=True)
            results.append((order, ended, words))
    show(applied_json(results) if as_json else applied(results))
    return 0 if all(ended for _, ended, _ in results) else 1
