"""Every mistake of a policy file with the exact line that it gives, and who may have written one."""

import os
from pathlib import Path

import pytest

from tests.support.remediator.policies import HEAD, ORPHANS, problems, read, write
from tmux_exporter.base.errors import ConfigError
from tmux_exporter.remediator.policies.load import load

STOP = "      - {do: stop, after: 5m, method: scheduler_pair}\n"
AGENT = """\
policies:
  - name: big
    match: {kind: agent}
    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}
    for: 3m
    actions: [{do: warn}]
"""

LEFT = """\
policies:
  - name: left
    match: {kind: leaked_process, leak_kind: [mcp_server], program: [node], age: 2h}
    for: 3m
    verify: {gone_within: 5s}
    actions: [{do: stop, method: leaked_process}]
"""
PANES = """\
policies:
  - name: panes
    match: {kind: pane, history_bytes: 64MiB}
    for: 3m
    actions: [{do: save}, {do: clear_history}]
"""

# What to replace in a good file by what, and the lines that it must give.
MISTAKES: dict[str, tuple[str, ...]] = {
    "no_match": (ORPHANS, "    match: {kind: scheduler, state: [dangling]}\n", "",
        "4:5: file.policies[0]: 'match' is missing; add it"),
    "match_of_everything": (ORPHANS, ", state: [dangling]", "",
        "5:12: file.policies[0].match: this would match every scheduler; add state: [dangling]"),
    "for_as_sexagesimal": (ORPHANS, "for: 5m", "for: 1:30",
        "6:10: file.policies[0].for: '1:30' is not a duration; write a number and a unit, for example 90s"),
    "unknown_key": (ORPHANS, "verify:", "verifi:", "11:5: unknown key 'verifi'; did you mean 'verify'?"),
    "shell": (ORPHANS, "{do: warn}", "{do: exec, command: 'rm -rf /'}",
        "8:14: file.policies[0].actions[0].do: 'exec' is not one of warn, snapshot, throttle, "
        "raise_fd_limit, save, clear_history, set_option, close_dead_pane, stop, kill; write one of them",
        "8:20: unknown key 'command'; keys of file.policies[0].actions[0] are do, after, via, "
        "severity, what, "
        "method, signal, grace, approvals, memory_high, cpu_max, "
        "tasks_max, pause, whole_pane, lease, max_bytes, option, value"),
    "no_verification": (ORPHANS, "    verify: {gone_within: 5s}\n", "",
        "8:7: file.policies[0].actions: a stop has to be verified; add verify: {gone_within: 5s}"),
    "kill_without_stop": (
        ORPHANS,
        STOP,
        "",
        "8:7: file.policies[0].actions: a kill only follows a stop without effect; put it last, after a stop",
    ),
    "stop_in_the_middle": (ORPHANS, "      - {do: kill, after: 3s}\n", "      - {do: warn, severity: info}\n",
        "8:7: file.policies[0].actions: nothing but a kill can follow a stop; put the stop at the end"),
    "two_stops": (ORPHANS, STOP, STOP + STOP.replace("5m", "6m"),
        "8:7: file.policies[0].actions: there are 2 steps 'stop'; keep one"),
    "snapshot_after_a_stop": (ORPHANS, "{do: kill, after: 3s}", "{do: snapshot}",
        "8:7: file.policies[0].actions: nothing but a kill can follow a stop; put the stop at the end"),
    "method_of_another_kind": (ORPHANS, "scheduler_pair", "agent_process",
        "8:7: file.policies[0].actions: a scheduler is stopped by method: scheduler_pair"),
    "no_method": (ORPHANS, ", method: scheduler_pair", "",
        "8:7: file.policies[0].actions: a scheduler is stopped by method: scheduler_pair"),
    "kill_as_a_stop": (ORPHANS, "scheduler_pair}", "scheduler_pair, signal: KILL}",
        "9:63: file.policies[0].actions[1].signal: a stop lets it end by itself; use TERM, INT or HUP"),
    "history_of_what_has_none": (AGENT, "{do: warn}", "{do: save}",
        "8:14: file.policies[0].actions: 'save' is for panes, and this policy is for agents"),
    "history_that_is_not_saved": (PANES, "{do: save}, {do: clear_history}", "{do: clear_history}, {do: save}",
        "7:14: file.policies[0].actions: a history is saved before it is cleared; add do: save before it"),
    "option_without_a_value": (PANES, "{do: save}", "{do: set_option, option: history-limit}",
        "7:15: file.policies[0].actions[0]: say what is set; add option: history-limit, value: 20000",
        ),
    "state_that_is_never_ended": (ORPHANS, "[dangling]", "[dangling, opaque]",
        "5:12: file.policies[0].match: what is 'opaque' is never ended; remove that state or the stop"),
    "state_that_a_person_ends": (ORPHANS, "name: orphans\n    match: {kind: scheduler, state: [dangling]}",
        "name: orphans\n    mode: enforce\n    match: {kind: scheduler, state: [duplicate]}",
        "9:7: file.policies[0].actions: only a person ends what is 'duplicate'; "
        "add approvals: {required: 1} to the stop"),
    "mode_of_the_defaults": (ORPHANS,
        "policies:\n  - name: orphans\n    match: {kind: scheduler, state: [dangling]}",
        "defaults: {mode: enforce}\npolicies:\n  - name: orphans\n"
        "    match: {kind: scheduler, state: [serverless]}",
        "3:11: file.defaults: so policy 'orphans' enforces, and only a person ends what is 'serverless'; "
        "give it a mode of its own, or approvals: {required: 1}"),
    "state_of_an_agent": (ORPHANS, "[dangling]", "[idle]",
        "5:37: file.policies[0].match.state: 'idle' is no state of a scheduler; it has unknown, "
        "opaque, firing, "
        "immortal, serverless, stale_generation, dangling, misdirected, overdue, duplicate, "
        "armed_origin_gone, armed"),
    "no_such_state": (ORPHANS, "[dangling]", "[dangeling]",
        "5:38: file.policies[0].match.state[0]: 'dangeling' is no state; did you mean 'dangling'?"),
    "key_of_another_kind": (ORPHANS, "[dangling]}", "[dangling], program: [claude]}",
        "5:58: file.policies[0].match.program: a scheduler has no such key; remove it"),
    "too_little_time": (ORPHANS, "[dangling]}", "[dangling], remaining: 5s}",
        "5:60: file.policies[0].match.remaining: '5s' is out of range; allowed is 30s to 24h"),
    "bare_glob": (ORPHANS, "[dangling]}", "[dangling], sessions: ['prod-*']}",
        "5:60: file.policies[0].match.sessions[0]: 'prod-*' is a name; write 'glob:prod-*' for a pattern"),
    "glob_of_everything": (ORPHANS, "[dangling]}", "[dangling], sessions: ['glob:*']}",
        "5:60: file.policies[0].match.sessions[0]: 'glob:*' fits everything; name something in it, "
        "or leave the key out"),
    "glob_that_takes_for_ever": (ORPHANS, "[dangling]}", "[dangling], sessions: ['glob:*a*a*a*a*b']}",
        "5:60: file.policies[0].match.sessions[0]: 'glob:*a*a*a*a*b' is no pattern; use '*' at "
        "most 4 times " "and '?', no brackets, at most 128 characters"),
    "name_that_is_no_label": (ORPHANS, "name: orphans", "name: Orphans!",
        "4:11: file.policies[0].name: 'Orphans!' is no name; use a-z, 0-9 and '-', a letter "
        "first, at most 64"),
    "two_of_one_name": (ORPHANS, "policies:\n",
        "policies:\n" + ORPHANS.removeprefix("policies:\n").replace("5m", "6m"),
        "4:3: file.policies: 2 policies are called 'orphans'; rename all but one"),
    "no_policy": (ORPHANS, ORPHANS, "policies: []\n",
        "3:11: file.policies: there is no policy; add one, or run without a file"),
    "no_version": (ORPHANS, "policies:", "apiversion: tmux-exporter/v1\npolicies:",
        "3:1: unknown key 'apiversion'; did you mean 'apiVersion'?"),
    "protection_taken_back": (ORPHANS, "policies:", "protected: {attached_sessions: false}\npolicies:",
        "3:13: unknown key 'attached_sessions'; did you mean 'sessions'?"),
    "no_unit": (AGENT, "4GiB", "4", "6:52: file.policies[0].when.above: '4' has no unit; write 4MiB or 4GiB"),
    "never_clear": (AGENT, "3GiB", "5GiB",
        "6:71: file.policies[0].when.clear_below: this is above 'above': it could never hold"),
    "no_clear": (AGENT, ", clear_below: 3GiB", "",
        "6:11: file.policies[0].when: both bounds are needed; add above and clear_below"),
    "no_such_metric": (AGENT, "tmux_agent_memory_bytes", "tmux_agent_memory",
        "6:20: file.policies[0].when.metric: 'tmux_agent_memory' is no figure of one thing; "
        "did you mean 'tmux_agent_memory_bytes'?"),
    "figure_of_another_kind": (AGENT, "tmux_agent_memory_bytes", "tmux_pane_memory_bytes",
        "6:11: file.policies[0].when: tmux_pane_memory_bytes is of panes, and this policy is for agents; "
        "use a figure of its own"),
    "counter_without_a_rate": (AGENT, "tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB",
        "tmux_agent_cpu_seconds_total, above: 4s, clear_below: 3s",
        "6:20: file.policies[0].when.metric: it only grows; add rate_over: 5m to ask for how fast"),
    "rate_without_its_time": (AGENT, "above: 4GiB, clear_below: 3GiB",
        "rate_over: 5m, above: 4GiB, clear_below: 3GiB/h",
        "6:67: file.policies[0].when.above: '4GiB' is no rate; write by how much it grows, then "
        "/s, /min or /h"),
    "all_and_one": (AGENT, "when: {",
        "when: {any: [{metric: tmux_agent_processes, above: 5, clear_below: 3}], ",
        "6:11: file.policies[0].when: write one of: metric with above and clear_below, all with a list, "
        "any with a list"),
    "stop_of_every_agent": (AGENT,
        "    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n    for: 3m\n  "
        "  actions: [{do: warn}]",
        "    for: 3m\n    verify: {gone_within: 5s}\n    actions: [{do: stop, method: agent_process}]",
        "5:12: file.policies[0].match: this would stop every agent; add program, state or a when"),
    "throttle_without_a_lease": (AGENT, "{do: warn}", "{do: throttle, memory_high: 4GiB}",
        "8:15: file.policies[0].actions[0]: a throttle needs a lease; add lease: 15m"),
    "throttle_of_nothing": (AGENT, "{do: warn}", "{do: throttle, lease: 15m}",
        "8:15: file.policies[0].actions[0]: nothing is bounded; add memory_high, cpu_max, tasks_max or "
        "pause: true"),
    "throttle_for_longer_than_a_day": (AGENT, "{do: warn}", "{do: throttle, pause: true, lease: 25h}",
        "8:50: file.policies[0].actions[0].lease: '25h' is out of range; allowed is 1s to 24h"),
    "pause_of_a_warning": (AGENT, "{do: warn}", "{do: warn, pause: true}",
        "8:33: file.policies[0].actions[0].pause: 'warn' has no such key; remove it"),
    "pause_of_a_whole_pane": (AGENT, "{do: warn}",
        "{do: throttle, memory_high: 4GiB, whole_pane: true, pause: true, lease: 15m}",
        "8:74: file.policies[0].actions[0].pause: a shell that stops takes the terminal: a pane is never "
        "paused; remove it"),
    "whole_pane_of_a_warning": (AGENT, "{do: warn}", "{do: warn, whole_pane: true}",
        "8:38: file.policies[0].actions[0].whole_pane: 'warn' has no such key; remove it"),
    "whole_pane_of_nothing": (AGENT, "{do: warn}", "{do: throttle, whole_pane: true, lease: 15m}",
        "8:15: file.policies[0].actions[0]: nothing is bounded; add memory_high, cpu_max, tasks_max or "
        "pause: true"),
    "whole_pane_of_a_leak": (AGENT,
        "kind: agent}\n    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n "
        "   for: 3m\n    actions: [{do: warn}]",
        "kind: leaked_process, leak_kind: [agent], program: [claude], age: 2h}\n    for: 3m\n    actions: "
        "[{do: throttle, cpu_max: 50%, whole_pane: true, lease: 15m}]",
        "7:14: file.policies[0].actions: a leaked_process has no pane any more; remove whole_pane"),
    "throttle_of_a_pane": (AGENT,
        "kind: agent}\n    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n "
        "   for: 3m\n    actions: [{do: warn}]",
        "kind: pane, dead: true}\n    for: 3m\n    actions: [{do: throttle, pause: true, lease: 15m}]",
        "7:14: file.policies[0].actions: a pane cannot be throttled; use warn or snapshot"),
    "throttle_of_every_agent": (AGENT,
        "    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n    for: 3m\n  "
        "  actions: [{do: warn}]",
        "    for: 3m\n    actions: [{do: throttle, pause: true, lease: 15m}]",
        "5:12: file.policies[0].match: this would throttle every agent; add program, state or a when"),
    "throttle_of_leaks_by_kind": (AGENT,
        "kind: agent}\n    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n "
        "   for: 3m\n    actions: [{do: warn}]",
        "kind: leaked_process, leak_kind: [agent]}\n    for: 3m\n    actions: [{do: throttle, pause: true, "
        "lease: 15m}]",
        "5:12: file.policies[0].match: a throttle by kind needs the programs that it is for; add program"),
    "stop_of_a_pane": (AGENT,
        "kind: agent}\n    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n "
        "   for: 3m\n    actions: [{do: warn}]",
        "kind: pane, dead: true}\n    for: 3m\n    verify: {gone_within: 5s}\n    actions: [{do: "
        "stop, method: agent_process}]",
        "8:14: file.policies[0].actions: a pane cannot be stopped; use warn or snapshot"),
    "stop_of_leaks_by_kind": (AGENT,
        "kind: agent}\n    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n "
        "   for: 3m\n    actions: [{do: warn}]",
        "kind: leaked_process, leak_kind: [agent]}\n    for: 3m\n    verify: {gone_within: 5s}\n    "
        "actions: [{do: stop, method: leaked_process}]",
        "5:12: file.policies[0].match: a stop by kind needs the programs that it is for; add program"),
    "rate_of_an_age": (AGENT,
        "{metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}",
        "{metric: tmux_agent_idle_seconds, rate_over: 5m, above: 8h/h, clear_below: 1h/h}",
        "6:56: file.policies[0].when.rate_over: an age grows by a second a second; remove rate_over"),
    "stop_of_jobs_by_kind": (LEFT, "[mcp_server]", "[mcp_server, shell_job]",
        "5:12: file.policies[0].match: a stop needs cmdline_sha256, or leak_kind agent or agent_daemon or "
        "dev_server or mcp_server with program and age"),
    "stop_by_kind_at_once": (LEFT, "age: 2h", "age: 59m",
        "5:12: file.policies[0].match: a stop by kind is only for what is at least 1h old; add age: 2h"),
    "age_of_an_agent": (AGENT, "{kind: agent}", "{kind: agent, age: 2h}",
        "5:31: file.policies[0].match.age: a agent has no such key; remove it"),
    "pattern_of_an_agent": (AGENT, "{kind: agent}", "{kind: agent, program: ['glob:cl*']}",
        "5:35: file.policies[0].match.program: 'glob:cl*' is not a program name; use a-z, 0-9, '.', '_' "
        "and '-'"),
    "whom_of_a_scheduler": (ORPHANS, "    for: 5m\n", "    for: 5m\n    whom: culprit\n",
        "7:11: file.policies[0].whom: a scheduler has no tree to choose from; remove it"),
    "culprit_without_a_figure": (AGENT,
        "    when: {metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB}\n",
        "    whom: culprit\n    when: {metric: tmux_agent_process_tree_depth, above: 9, clear_below: 8}\n",
        "6:11: file.policies[0].whom: no figure here is held by one process; add a when, or say agent or "
        "tree"),
    "whom_nobody_knows": (AGENT, "    for: 3m\n", "    for: 3m\n    whom: leader\n",
        "8:11: file.policies[0].whom: 'leader' is not one of culprit, agent, tree; write one of them"),
    "anchor": (ORPHANS, "{do: warn}", "&a {do: warn}", "8:9: anchors are not supported; remove it"),
    "alias": (ORPHANS, "{do: warn}", "{do: *a}", "8:14: aliases are not supported; write the value out"),
    "alias_of_a_kind": (ORPHANS, "kind: scheduler", "kind: *a",
        "5:19: aliases are not supported; write the value out"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_has_its_exact_line(name: str, tmp_path: Path) -> None:
    good, old, new, *expected = MISTAKES[name]
    read(tmp_path, HEAD + good)
    assert old in good
    assert problems(tmp_path, HEAD + good.replace(old, new, 1)) == tuple(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("1:1: the file holds no policies; begin it with apiVersion: tmux-exporter/v1",)),
        ("- a\n", ("1:1: the file holds no policies; begin it with apiVersion: tmux-exporter/v1",)),
        (ORPHANS, ("1:1: file: 'apiVersion' is missing; add it", "1:1: file: 'kind' is missing; add it")),
    ],
)
def test_what_is_no_policy_file(text: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    assert problems(tmp_path, text) == expected


def test_all_mistakes_of_all_files_of_a_folder_are_told(tmp_path: Path) -> None:
    first = write(tmp_path, HEAD + ORPHANS.replace("for: 5m", "for: 5"), "a.yml")
    second = write(tmp_path, HEAD + ORPHANS.replace("[dangling]", "[x]"), "b.yml")
    (tmp_path / "notes.txt").write_text("no policy")
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path), os.getuid())
    assert [line.split(":")[0] for line in caught.value.problems] == [str(first), str(second)]


def test_the_files_of_a_folder_are_one_set(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "total: {per_cycle: 3}\n" + ORPHANS, "b.yml")
    write(tmp_path, HEAD + ORPHANS.replace("orphans", "more"), "a.yml")
    found = load(str(tmp_path), os.getuid())
    assert [each.name for each in found.policies] == ["more", "orphans"]
    assert (found.per_cycle, found.per_hour) == (3, 120)
    write(tmp_path, HEAD + ORPHANS, "c.yml")
    with pytest.raises(ConfigError, match=r"c\.yml:1:1: policy 'orphans' is also in .*b\.yml"):
        load(str(tmp_path), os.getuid())


def test_an_empty_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no policy is in this folder"):
        load(str(tmp_path), os.getuid())


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(mode: int, tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + ORPHANS)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=r":1:1: this file can be written by others; run: chmod go-w "):
        load(str(path), os.getuid())


def test_a_file_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open" / "inner"
    folder.mkdir(parents=True)
    path = write(folder, HEAD + ORPHANS)
    load(str(path), os.getuid())
    folder.parent.chmod(0o777)
    with pytest.raises(ConfigError, match=rf"the folder {folder.parent} can be written by others"):
        load(str(path), os.getuid())
    folder.parent.chmod(0o1777)
    load(str(path), os.getuid())


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    write(tmp_path / "open", HEAD + ORPHANS)
    link = tmp_path / "link.yml"
    link.symlink_to(tmp_path / "open" / "policies.yml")
    load(str(link), os.getuid())
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ConfigError, match="can be written by others"):
        load(str(link), os.getuid())


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + ORPHANS)
    stranger = 12345 if os.getuid() == 0 else os.getuid() + 1
    owner = os.getuid()
    if owner == 0:
        os.chown(path, 54321, -1)
        owner = 54321
    with pytest.raises(ConfigError, match=rf"belongs to uid {owner}; give it to uid {stranger} or to root"):
        load(str(path), stranger)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read this file: No such file or directory"):
        load(str(tmp_path / "none.yml"), os.getuid())
