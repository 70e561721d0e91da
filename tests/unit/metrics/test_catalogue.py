"""The catalogue against the public contract, the docs against the catalogue.

The contract is written down here a second time on purpose: these names and labels are promised to users, so a
rename has to be made twice, knowingly.
"""

import re
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tmux_exporter.metrics import docs_page
from tmux_exporter.metrics.catalogue import BY_NAME, FAMILIES
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"

USAGE = """
    memory_bytes memory_limit_bytes resident_memory_bytes anonymous_memory_bytes swap_memory_bytes
    proportional_memory_bytes cpu_seconds_total cpu_limit_cores processes threads open_fds
    fd_utilization_ratio read_bytes_total written_bytes_total process_tree_depth
    oldest_process_start_time_seconds oom_kills_total
"""

CONTRACT = {
    "server": """
        tmux_up tmux_server_sessions tmux_server_windows tmux_server_panes tmux_server_clients
        tmux_server_start_time_seconds tmux_server_resident_memory_bytes tmux_server_cpu_seconds_total
        tmux_server_open_fds tmux_server_max_fds tmux_server_history_bytes tmux_server_query_duration_seconds
        tmux_agent_recovery_seconds tmux_agent_outage_seconds
    """,
    "server reason": "tmux_server_query_failures_total",
    "server version socket": "tmux_server_info",
    "server session": f"""
        {" ".join(f"tmux_session_{suffix}" for suffix in USAGE.split())}
        tmux_session_history_bytes tmux_session_created_timestamp_seconds tmux_session_attached_clients
        tmux_session_last_activity_timestamp_seconds tmux_session_unwatched_cpu_seconds_total
        tmux_scheduler_next_due_timestamp_seconds tmux_session_unpriced_tokens_total
    """,
    "server session group memory_source partial cpu_source": "tmux_session_info",
    "server session window pane": f"""
        {" ".join(f"tmux_pane_{suffix}" for suffix in USAGE.split())}
        tmux_pane_history_bytes tmux_pane_history_lines tmux_pane_history_limit_lines
        tmux_pane_dead tmux_pane_pids tmux_pane_pids_limit
        tmux_pane_disk_read_bytes_total tmux_pane_disk_written_bytes_total
        tmux_pane_disk_reads_total tmux_pane_disk_writes_total
    """,
    "server session window pane resource kind": "tmux_pane_pressure_seconds_total",
    "server session window pane memory_source partial cpu_source": "tmux_pane_info",
    "server session agent": f"""
        {" ".join(f"tmux_agent_{suffix}" for suffix in USAGE.split())}
        tmux_agent_up tmux_agent_declared tmux_agent_crashed tmux_agent_restarts_total
        tmux_agent_state_since_timestamp_seconds tmux_agent_log_oldest_timestamp_seconds
        tmux_agent_same_command_processes tmux_agent_usage_limit_reset_timestamp_seconds
        tmux_agent_unpriced_tokens_total tmux_agent_requests_total tmux_agent_turns_total
        tmux_agent_compactions_total
        tmux_agent_context_tokens tmux_agent_context_window_tokens tmux_agent_last_prompt_timestamp_seconds
    """,
    "server session agent source": "tmux_agent_cost_dollars_total tmux_agent_session_cost_dollars",
    "server session agent exactness account": "tmux_agent_usage_source_info",
    "server session source": "tmux_session_cost_dollars_total",
    "program account window": """
        tmux_agent_quota_used_ratio tmux_agent_quota_reset_timestamp_seconds
        tmux_agent_quota_observed_timestamp_seconds
    """,
    "server session agent kind model": "tmux_agent_tokens_total",
    "server session agent model": "tmux_agent_reasoning_tokens_total",
    "server session agent result": "tmux_agent_tool_calls_total",
    "program reason": "tmux_exporter_usage_source_errors_total",
    "server session agent kind": """
        tmux_agent_helpers tmux_agent_helpers_memory_bytes tmux_agent_session_tokens
    """,
    "server session agent port": "tmux_agent_listening_processes",
    "server session kind port": "tmux_leaked_listening_processes",
    "server session agent kind worktree": "tmux_workspace_bytes",
    "server session agent pane program version role window_name memory_source partial cpu_source": """
        tmux_agent_info
    """,
    "server session agent state": """
        tmux_agent_state tmux_agent_state_seconds_total tmux_agent_state_cpu_seconds_total
        tmux_agent_state_cost_dollars_total
    """,
    "server session agent reason": "tmux_agent_waiting_since_timestamp_seconds",
    "server session kind": """
        tmux_leaked_processes tmux_leaked_memory_bytes tmux_leaked_cpu_seconds_total tmux_leaked_open_fds
        tmux_leaked_oldest_start_time_seconds tmux_session_tokens_total
    """,
    "server session state": """
        tmux_schedulers tmux_scheduler_memory_bytes tmux_scheduler_cpu_seconds_total tmux_scheduler_open_fds
    """,
    "server session outcome": "tmux_scheduler_outcomes_total",
    "operation": """
        tmux_operation_duration_seconds tmux_operation_retries_total tmux_operations_in_flight
        tmux_operation_slow_total tmux_operation_objective_seconds tmux_operation_objective_ratio
    """,
    "operation reason": "tmux_operation_errors_total",
    "operation direction": "tmux_operation_memory_change_bytes_total",
    "server command": "tmux_command_duration_seconds tmux_command_errors_total",
    "mode": "tmux_host_cpu_seconds_total tmux_remediator_mode",
    "device": """
        tmux_host_disk_io_seconds_total tmux_host_network_receive_bytes_total
        tmux_host_network_transmit_bytes_total tmux_host_network_speed_bytes
    """,
    "mountpoint": "tmux_host_filesystem_size_bytes tmux_host_filesystem_avail_bytes "
    "tmux_host_filesystem_inodes tmux_host_filesystem_avail_inodes",
    "resource kind": "tmux_host_pressure_seconds_total",
    "version pythonversion": "tmux_exporter_build_info",
    "result": "tmux_exporter_samples_total",
    "outcome": "tmux_exporter_log_lines_total tmux_remediator_log_lines_total",
    "collector": "tmux_exporter_collector_success",
    "family": "tmux_exporter_family_dropped_series",
    "reason": "tmux_exporter_unreadable_processes tmux_exporter_operations_lost_total "
    "tmux_exporter_commands_lost_total",
    "policy": """
        tmux_remediator_matches tmux_remediator_breaker_open tmux_remediator_lease_memory_high_events_total
        tmux_remediator_lease_end_timestamp_seconds
    """,
    "policy means": "tmux_remediator_leases",
    "policy action culprit": "tmux_remediator_culprits_total",
    "policy source": "tmux_remediator_reclaimed_bytes_total",
    "policy action outcome": "tmux_remediator_actions_total",
    "policy reason": "tmux_remediator_refusals_total",
    "": """
        tmux_stale_sockets
        tmux_host_memory_bytes tmux_host_memory_available_bytes tmux_host_load1 tmux_host_processes
        tmux_host_pids tmux_host_pids_limit tmux_host_ptys tmux_host_ptys_limit tmux_host_inotify_instances
        tmux_host_inotify_instances_limit tmux_host_user_pids tmux_host_user_pids_limit
        tmux_host_cgroup_pids tmux_host_cgroup_pids_limit tmux_host_oom_kills_total
        tmux_exporter_sample_duration_seconds tmux_exporter_sample_interval_seconds
        tmux_exporter_sample_tick_seconds
        tmux_exporter_last_sample_timestamp_seconds tmux_exporter_unattributed_cpu_seconds_total
        tmux_exporter_discovery_missed_total tmux_exporter_dropped_series_total
        tmux_exporter_lineage_lost_total
        tmux_exporter_config_last_reload_successful
        tmux_exporter_config_last_reload_successful_timestamp_seconds
        tmux_remediator_up tmux_remediator_blind tmux_remediator_audit_healthy
        tmux_remediator_config_last_reload_successful
        tmux_remediator_last_cycle_timestamp_seconds
        process_cpu_seconds_total process_resident_memory_bytes process_virtual_memory_bytes
        process_start_time_seconds process_open_fds process_max_fds
    """,
}

CLOSED = {
    "tmux_server_query_failures_total reason": "hung noserver denied protocol partial malformed untrusted",
    "tmux_agent_state state": "working idle waiting exited unknown",
    "tmux_agent_waiting_since_timestamp_seconds reason": (
        "permission trust question dialog usage_limit api_error auth other"
    ),
    "tmux_leaked_processes kind": "scheduler agent agent_daemon mcp_server dev_server shell_job other",
    "tmux_workspace_bytes kind": "work log",
    "tmux_schedulers state": (
        "unknown opaque firing immortal serverless stale_generation dangling misdirected overdue duplicate "
        "armed_origin_gone armed"
    ),
    "tmux_scheduler_outcomes_total outcome": "fired missed cancelled unknown",
    "tmux_operation_errors_total reason": "exit_status timeout exception refused other",
    "tmux_operation_memory_change_bytes_total direction": "grown shrunk",
    "tmux_exporter_operations_lost_total reason": (
        "dropped malformed version foreign names overflow unfinished"
    ),
    "tmux_exporter_commands_lost_total reason": "rate vanished overrun overflow",
    "tmux_host_cpu_seconds_total mode": "user nice system idle iowait irq softirq steal",
    "tmux_exporter_samples_total result": "complete partial failed",
    "tmux_exporter_log_lines_total outcome": "written lost",
    "tmux_remediator_log_lines_total outcome": "written lost",
    "tmux_remediator_mode mode": "observe recommend enforce",
    "tmux_remediator_actions_total action": (
        "warn snapshot throttle raise_fd_limit save clear_history set_option close_dead_pane stop kill"
    ),
    "tmux_remediator_actions_total outcome": "would done survived vanished refused failed",
    "tmux_remediator_refusals_total reason": (
        "blind warmup clock_jump server_unknown stale state not_a_pair too_late tmux_server own_process "
        "other_uid pane_shell attached_session listening_socket live_descendant namespace service "
        "not_stopped unkillable evidence changed no_culprit unproven in_use usage_limit held protected "
        "breaker approval unavailable no_return max_match budget audit switched_off"
    ),
    "tmux_remediator_leases means": "scope pause",
    "tmux_remediator_culprits_total action": "throttle raise_fd_limit stop kill",
    "tmux_remediator_culprits_total culprit": "agent descendant",
    "tmux_remediator_reclaimed_bytes_total source": "memory history",
}


def test_the_catalogue_is_the_contract() -> None:
    promised = {name: labels for labels, names in CONTRACT.items() for name in names.split()}
    assert {spec.name: " ".join(spec.labels) for spec in FAMILIES} == promised


def test_closed_lists_are_the_contract() -> None:
    for key, values in CLOSED.items():
        name, label = key.split()
        assert " ".join(BY_NAME[name].closed[label]) == values


def test_families_that_share_a_label_of_a_closed_list_share_the_list() -> None:
    for prefix, label in (
        ("tmux_agent_state", "state"),
        ("tmux_scheduler", "state"),
        ("tmux_leaked", "kind"),
    ):
        lists = {
            spec.closed.get(label)
            for spec in FAMILIES
            if spec.name.startswith(prefix) and label in spec.labels
        }
        assert len(lists) == 1
        assert None not in lists


def test_no_family_is_declared_twice() -> None:
    assert len(BY_NAME) == len(FAMILIES)


def test_units_are_in_the_names() -> None:
    for spec in FAMILIES:
        end = spec.base.rsplit("_", 1)[-1]
        assert spec.unit == (end if end in ("bytes", "seconds", "ratio", "lines", "cores") else ""), spec.name


def test_families_of_samples_say_that_they_are_taken_in_the_background() -> None:
    for name in ("last_sample_timestamp_seconds", "sample_interval_seconds", "sample_duration_seconds"):
        assert "background" in BY_NAME[f"tmux_exporter_{name}"].help


def test_help_tells_more_than_the_name() -> None:
    def told(spec: Spec) -> int:
        return len(set(re.findall(r"[a-z]+", spec.help.lower())) - set(spec.name.split("_")))

    assert [spec.name for spec in FAMILIES if told(spec) < 3 or "{" in spec.help] == []


def test_the_docs_are_those_of_this_catalogue() -> None:
    assert docs_page.render().splitlines() == DOCS.read_text().splitlines(), "run `make docs`"


def test_every_family_and_every_closed_list_is_in_the_docs() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", docs_page.render(), flags=re.MULTILINE)
    assert rows == [
        spec.name for subject in docs_page.SUBJECTS for spec in FAMILIES if spec.subject == subject
    ]
    assert sorted(rows) == sorted(BY_NAME)
    for values in CLOSED.values():
        assert ", ".join(f"`{value}`" for value in values.split()) in docs_page.render()


def test_example_queries_ask_for_what_is_built() -> None:
    for title, query in docs_page.EXAMPLES:
        names = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\btmux_\w+", query)}
        assert names, title
        for name in names:
            assert BY_NAME[name].status is FamilyStatus.BUILT
            rated = re.search(rf"(rate|increase)\({name}(_bucket)?[\[{{]", query)
            assert bool(rated) is (BY_NAME[name].kind in (MetricType.COUNTER, MetricType.HISTOGRAM)), query
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', query):
            (closed,) = {BY_NAME[name].closed[label] for name in names}
            assert set(value.split("|")) <= set(closed)


def rules(queries: list[str]) -> str:
    body = "".join(
        f"  - record: example:{number}\n    expr: |\n      {q}\n" for number, q in enumerate(queries)
    )
    return f"groups:\n- name: examples\n  rules:\n{body}"


@pytest.mark.parametrize(("extra", "sound"), [([], True), (["sum by (server"], False)])
def test_promtool_understands_the_example_queries(tmp_path: Path, extra: list[str], sound: bool) -> None:
    file = tmp_path / "examples.yml"
    file.write_text(rules([query for _, query in docs_page.EXAMPLES] + extra))
    found = run_text(["promtool", "check", "rules", file])
    assert (found.returncode == 0) is sound, found.stderr
