"""The command line of the remediator: build, call one function, turn errors into exit codes."""

import os

import click

from tmux_exporter import __version__
from tmux_exporter.cli.exit import LOOKING, progress, show
from tmux_exporter.cli.exit import run as run_command
from tmux_exporter.config import load, override

NAME = "tmux-remediator"

_CONFIG = click.option(
    "--config",
    "--config.file",
    "config_path",
    metavar="FILE",
    help="The exporter's configuration file (YAML).",
)


def main() -> None:
    """Run a command."""
    run_command(cli, NAME)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """End schedulers whose target is gone. Observes unless told to enforce.

    \b
    Example:
      tmux-remediator run     one line on stderr for everything that it would do
    """


@cli.command(short_help="Watch for orphaned schedulers; end them only with --enforce.")
@click.option("--enforce", is_flag=True, help="End what the policy says; without it nothing is signalled.")
@click.option(
    "--policy", "policy_path", metavar="FILE|FOLDER", help="Policies (YAML) instead of the built-in one."
)
@click.option(
    "--server",
    "servers",
    metavar="NAME",
    multiple=True,
    help="Only what aims at this tmux server, by its label in /metrics; may be given again (all).",
)
@click.option(
    "--snapshot-screen",
    is_flag=True,
    help="Let snapshots hold the last lines of a pane's screen, where a policy asks for them.",
)
@click.option("--interval", metavar="TIME", help="Time between samples (5s).")
@_CONFIG
@click.option("--log.level", "log_level", metavar="LEVEL", help="debug, info, warn or error.")
@click.option("--log.format", "log_format", metavar="FORMAT", help="logfmt or json.")
@click.option("--time-scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, hidden=True)
def run(
    *,
    enforce: bool,
    policy_path: str | None,
    servers: tuple[str, ...],
    snapshot_screen: bool,
    interval: str | None,
    config_path: str | None,
    log_level: str | None,
    log_format: str | None,
    time_scale: float,
) -> None:
    """Watch for schedulers (sleep, then tmux send-keys) whose every target is gone.

    \b
    One is told of after 5 minutes and ended 5 minutes later: its shell first, then its sleep, so that no key
    is ever sent. Nothing is signalled
      without --enforce,
      after tmux-remediator off, until tmux-remediator on,
      while its tmux server does not answer completely, or the audit cannot be written.

    \b
    Example:
      tmux-remediator run                 observe
      tmux-remediator run --enforce --server default
      tmux-remediator run --policy policies.yml
    """
    from tmux_exporter.remediator.service import serve

    config = override(
        load(config_path), sampling_interval=interval, log_level=log_level, log_format=log_format
    )
    serve(
        config,
        os.environ,
        enforce=enforce,
        policy_path=policy_path,
        servers=servers,
        screen=snapshot_screen,
        time_scale=time_scale,
    )


@cli.command(short_help="Show what was done, and whether the record is whole.")
@click.option("--kind", metavar="KIND", help="Only records of this kind: start, intent, outcome, …")
@click.option("--policy", metavar="NAME", help="Only acts of this policy.")
@click.option("--pid", type=click.IntRange(1), metavar="PID", help="Only acts on this process.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the last N of them.")
@click.option("--verify", is_flag=True, help="Show nothing but whether the chain of records is whole.")
@click.option("--replay", is_flag=True, help="Derive each decision again from what its record holds.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def audit(
    *,
    kind: str | None,
    policy: str | None,
    pid: int | None,
    last: int | None,
    verify: bool,
    replay: bool,
    as_json: bool,
) -> int:
    """Show every record of the audit and verify its chain: exit code 1 where that is broken.

    An outcome is shown with the act that it is of. With --replay exit code 1 also says that a decision does
    not follow from its record by the rules of this version.

    \b
    Example:
      tmux-remediator audit --last 20
      tmux-remediator audit --verify
      tmux-remediator audit --replay --policy orphaned-schedulers
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
    if as_json:
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


@cli.command(short_help="Show what policies would end now; keep that as a plan to apply.")
@click.option("--policy", "policy_path", metavar="FILE|FOLDER", help="Policies instead of the built-in one.")
@click.option("--server", "servers", metavar="NAME", multiple=True, help="Only at this tmux server.")
@click.option("--interval", metavar="TIME", default="500ms", show_default=True, help="Time between looks.")
@_CONFIG
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False), help="Keep the plan in this file.")
@click.option("--json", "as_json", is_flag=True, help="Show the plan itself.")
def plan(
    *,
    policy_path: str | None,
    servers: tuple[str, ...],
    interval: str,
    config_path: str | None,
    out: str | None,
    as_json: bool,
) -> int:
    """Look three times and show what the policies would end, without their waits: exit code 1 if anything.

    Nothing is signalled. Policies whose mode is observe are left out; so is what a veto, a hold, @protect or
    one of its own processes (it listens, say) speaks against.

    \b
    Example:
      tmux-remediator plan --policy policies.yml --out plan.json
      tmux-remediator apply plan.json --sha256 HASH --policy policies.yml
    """
    from pathlib import Path

    from tmux_exporter.commands.views.plan import planned
    from tmux_exporter.remediator.record.plan import digest
    from tmux_exporter.remediator.record.plan_file import write
    from tmux_exporter.remediator.service import make_plan, read_policies

    config = override(load(config_path), sampling_interval=interval)
    policies = read_policies(policy_path, os.getuid(), servers)
    with progress(LOOKING):
        made = make_plan(config, os.environ, policies, lambda words: click.echo(words, err=True))
    content = made.render()
    if as_json:
        show(content)
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


@cli.command(name="apply", short_help="End exactly what a plan says, each verified again.")
@click.argument("path", metavar="PLAN", type=click.Path(dir_okay=False))
@click.option("--sha256", metavar="HASH", required=True, help="The hash of the plan that you have read.")
@click.option("--policy", "policy_path", metavar="FILE|FOLDER", help="The policies that it was made by.")
@click.option("--server", "servers", metavar="NAME", multiple=True, help="As it was made.")
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def apply_command(
    *,
    path: str,
    sha256: str,
    policy_path: str | None,
    servers: tuple[str, ...],
    config_path: str | None,
    as_json: bool,
) -> int:
    """End what a plan says and nothing else: exit code 1 where something of it lives on.

    Each target is looked at again as before every act: what is no longer as it was is left alone. A plan is
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

    config = load(config_path)
    policies = read_policies(policy_path, os.getuid(), servers)
    content, stop, results = read_bytes(path), Stop(), []
    with progress("looking again, a cycle after the plan was made, and ending what it says"):
        for order, ended, words in apply_plan(
            config, os.environ, policies, content, sha256, stopping=lambda: stop.asked
        ):
            click.echo(f"{order.target.kind} {order.target.processes[0].pid}: {words}", err=True)
            results.append((order, ended, words))
    show(applied_json(results) if as_json else applied(results))
    return 0 if all(ended for _, ended, _ in results) else 1


@cli.command("check-config", short_help="Say everything that is wrong with policies.")
@click.argument("path", metavar="FILE|FOLDER", type=click.Path())
@click.option("--against-live", is_flag=True, help="Look three times, and show what each matches now.")
@click.option("--server", "servers", metavar="NAME", multiple=True, help="Only at this tmux server.")
@click.option("--interval", metavar="TIME", default="500ms", show_default=True, help="Time between looks.")
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check_config(
    path: str,
    *,
    against_live: bool,
    servers: tuple[str, ...],
    interval: str,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Check policies: exit code 2 with one line for each mistake, where it is and how to mend it.

    What can be read and has no effect, such as a step that is not built yet, is a warning of the same form:
    the exit code stays 0.

    With --against-live also what each policy matches now, whatever its waits, and what speaks against
    touching it; leaked processes with the hash of their command line, which a policy has to name.

    \b
    Example:
      tmux-remediator check-config policies.yml
      tmux-remediator check-config policies.yml --against-live
    """
    from tmux_exporter.commands.views.matches import matches_view
    from tmux_exporter.commands.views.policy import PolicyView
    from tmux_exporter.remediator.service import decide_now, read_policies

    policies = read_policies(path, os.getuid(), servers)
    for remark in policies.remarks:
        click.echo(f"warning: {remark}", err=True)
    if against_live:
        config = override(load(config_path), sampling_interval=interval)
        with progress(LOOKING):
            found = decide_now(config, os.environ, policies)
        view = matches_view(policies, *found)
        show(view.as_json() if as_json else view.as_table())
        return
    checked = PolicyView(policies=policies)
    show(checked.as_json() if as_json else checked.as_table())


_TARGETS = "PID|%PANE|agent:NAME|session:NAME|server:NAME|all"


@cli.command(short_help="Say of one thing which policies are for it, and why it would be left alone.")
@click.argument("target", metavar=_TARGETS)
@click.option("--policy", "policy_path", metavar="FILE|FOLDER", help="Policies instead of the built-in one.")
@click.option("--server", default="", metavar="NAME", help="Only at this tmux server, by its label.")
@click.option("--interval", metavar="TIME", default="500ms", show_default=True, help="Time between looks.")
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def explain(
    target: str,
    *,
    policy_path: str | None,
    server: str,
    interval: str,
    config_path: str | None,
    as_json: bool,
) -> int:
    """Look three times and say what each policy makes of one thing, its waits left out: exit code 1 if none
    has to do with it. Nothing is signalled.

    A process is a scheduler's shell or sleep, an agent's first process, or a leaked one; of all others no
    policy can be. What processes belong to says tmux-exporter explain.

    \b
    Example:
      tmux-remediator explain 4711
      tmux-remediator explain agent:Claude-Frontend --policy policies.yml
    """
    from tmux_exporter.commands.views.hold import meant
    from tmux_exporter.commands.views.matches import matches_view
    from tmux_exporter.remediator.service import decide_now, read_policies

    about = meant(target, server, 0.0)
    config = override(load(config_path), sampling_interval=interval)
    policies = read_policies(policy_path, os.getuid())
    with progress(LOOKING):
        found = decide_now(config, os.environ, policies)
    view = matches_view(policies, *found, about=about)
    if as_json or view.rows:
        show(view.as_json() if as_json else view.as_table())
    else:
        kinds = ", ".join(dict.fromkeys(each.match.kind.value for each in policies.policies))
        show(f"no policy has to do with it: they are for {kinds}, and it is none, or not there now")
    return 0 if view.rows else 1


@cli.command(short_help="Let nothing be done to something for a while, whatever policies say.")
@click.argument("target", metavar=_TARGETS)
@click.argument("duration", metavar="TIME")
@click.option("--server", default="", metavar="NAME", help="Only at this tmux server, by its label.")
def hold(target: str, duration: str, server: str) -> None:
    """Hold something: until that is over nothing is done to it. A hold survives restarts of everything.

    A process is held as long as it lives, at most. tmux set-option -p @protect on does the same in tmux.

    \b
    Example:
      tmux-remediator hold 4711 24h
      tmux-remediator hold session:nightly 12h
      tmux-remediator hold all 1h
    """
    from tmux_exporter.commands.views import hold as hold_view

    held = hold_view.hold(os.environ, target, server, hold_view.parse_time(duration))
    click.echo(f"held for {duration}: {hold_view.words(held)}")


@cli.command(short_help="Take a hold back.")
@click.argument("target", metavar=_TARGETS)
@click.option("--server", default="", metavar="NAME", help="As it was held.")
def release(target: str, server: str) -> int:
    """Take a hold back: exit code 1 where there was none.

    \b
    Example:
      tmux-remediator release session:nightly
    """
    from tmux_exporter.commands.views import hold as hold_view

    held, found = hold_view.release(os.environ, target, server)
    click.echo(f"{'no longer held' if found else 'was not held'}: {hold_view.words(held)}", err=not found)
    return 0 if found else 1


@cli.command(short_help="Show what is held, and until when.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def holds(as_json: bool) -> None:
    """Show what is held, and until when.

    \b
    Example:
      tmux-remediator holds
    """
    from tmux_exporter.commands.views import hold as hold_view

    found, wall = hold_view.current_holds(os.environ)
    if as_json:
        show(hold_view.as_json(found))
    else:
        show(hold_view.as_table(found, wall) if found else "nothing is held")


@cli.command(short_help="Signal nothing any more, whatever runs or is started.")
def off() -> None:
    """Put the file remediator.off into the state folder: while it is there nothing is signalled, at once.

    That holds for a remediator that runs, for one that is started later, and for apply, until on is given.

    \b
    Example:
      tmux-remediator off
    """
    from tmux_exporter.remediator.record.switch import turn_off

    switch, new = turn_off(os.environ)
    click.echo(f"{'off' if new else 'it was off'}: while {switch} is there nothing is signalled")


@cli.command(short_help="Let the remediator go on after off.")
def on() -> None:
    """Remove the file remediator.off from the state folder.

    What is signalled then is up to the policies, and nothing without --enforce.

    \b
    Example:
      tmux-remediator on
    """
    from tmux_exporter.remediator.record.switch import turn_on

    switch, was_off = turn_on(os.environ)
    click.echo(f"on: {switch} is removed" if was_off else f"it was on: there is no {switch}")


if __name__ == "__main__":
    main()
