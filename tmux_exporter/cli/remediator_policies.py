"""What policies match now: `check-config`, `explain`."""

import os

import click

from tmux_exporter.cli.exit import LOOKING, progress, show
from tmux_exporter.cli.options import JSON, POLICY, SERVER, SERVERS, TARGETS, Loader, looking


@click.command("check-config", short_help="Say everything that is wrong with policies.")
@click.argument("path", metavar="FILE|FOLDER", type=click.Path())
@click.option("--against-live", is_flag=True, help="Look three times, and show what each matches now.")
@SERVERS
@looking
@JSON
def check_config(
    path: str,
    *,
    against_live: bool,
    servers: tuple[str, ...],
    load_config: Loader,
    as_json: bool,
) -> None:
    """Check policies: exit code 2 with one line for each mistake, where it is and how to mend it.

    What can be read and has no effect, such as an empty list of hashes or a throttle that this machine
    cannot hold, is a warning of the same form: the exit code stays 0. `run --enforce` refuses the latter.
    Where a policy throttles, it is said which kinds of throttle this machine can do.

    With --against-live also what each policy matches now, whatever its waits, and what speaks against
    touching it; leaked processes with the hash of their command line, which a policy has to name.

    \b
    Example:
      tmux-remediator check-config policies.yml
      tmux-remediator check-config policies.yml --against-live
    """
    from tmux_exporter.commands.views.policy import PolicyView, matches_view
    from tmux_exporter.remediator.service import decide_now, no_return_words, read_policies
    from tmux_exporter.sources.host.cgroups import read_means, read_pane_places

    policies = read_policies(path, os.getuid(), servers)
    for remark in (*policies.remarks, *policies.unable):
        click.echo(f"warning: {remark}", err=True)
    if against_live:
        config = load_config()
        with progress(LOOKING):
            found = decide_now(config, os.environ, policies)
        for words in no_return_words(policies, read_pane_places(found[1])):
            click.echo(f"warning: {words}", err=True)
        view = matches_view(policies, *found)
        show(view.as_json() if as_json else view.as_table())
        return
    checked = PolicyView(policies=policies, means=read_means(os.getuid()))
    show(checked.as_json() if as_json else checked.as_table())


@click.command(short_help="Say which policies are for something, or why none acts.")
@click.argument("target", metavar=TARGETS)
@POLICY
@SERVER
@looking
@JSON
def explain(target: str, *, policy_path: str | None, server: str, load_config: Loader, as_json: bool) -> int:
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
    from tmux_exporter.commands.views.policy import matches_view
    from tmux_exporter.remediator.service import decide_now, read_policies

    about = meant(target, server, 0.0)
    config, policies = load_config(), read_policies(policy_path, os.getuid())
    with progress(LOOKING):
        found = decide_now(config, os.environ, policies)
    view = matches_view(policies, *found, about=about)
    if as_json or view.rows:
        show(view.as_json() if as_json else view.as_table())
    else:
        kinds = ", ".join(dict.fromkeys(each.match.kind.value for each in policies.policies))
        show(f"no policy has to do with it: they are for {kinds}, and it is none, or not there now")
    return 0 if view.rows else 1


@click.command(short_help="List the policies that come with it, or print one.")
@click.argument("name", required=False)
@JSON
def policies(name: str | None, *, as_json: bool) -> None:
    """List the policies that come with tmux-remediator, or print the file of one: at most ten lines each.

    None of them is in force: run takes a file or a folder of your own. tmux-exporter export policies writes
    all of them.

    \b
    Example:
      tmux-remediator policies
      tmux-remediator policies agent-memory >agent-memory.yml
    """
    from tmux_exporter.commands.views.ready_policies import called, listed, listed_json, ready_policies

    found = ready_policies()
    if name is None:
        show(listed_json(found) if as_json else listed(found))
        return
    one = called(name, found)
    show(listed_json((one,)) if as_json else one.text.rstrip("\n"))
