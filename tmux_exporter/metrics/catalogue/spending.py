"""Declared families of what agents spend: tokens, requests, context."""

from functools import partial

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.spending import CostSource, Exactness, TokenKind, ToolResult
from tmux_exporter.metrics.catalogue.family import Spec

AGENT = ("server", "session", "agent")

_agent = partial(
    Spec,
    subject="agent",
    labels=AGENT,
    closed={
        "kind": tuple(TokenKind),
        "state": tuple(AgentState),
        "result": tuple(ToolResult),
        "exactness": tuple(Exactness),
        "source": tuple(CostSource),
    },
)

SPENDING = (
    _agent(
        "tmux_agent_usage_source_info",
        "How the file is known in which the agent's program writes what it spends: exact (its process names "
        "or holds it) or unique (it is the only candidate). An agent without it has no figure of tokens, "
        "requests and context: its program has no such file, or nobody can say which it is. account is the "
        "number of its program's configuration folder, as in the families of quotas.",
        labels=(*AGENT, "exactness", "account"),
        sparse=True,
    ),
    _agent(
        "tmux_agent_tokens_total",
        "Tokens that the agent has spent since the exporter saw it first, as its program wrote them down, by "
        "kind and model. Kinds are disjoint: input is what no cache had, output has the reasoning.",
        labels=(*AGENT, "kind", "model"),
        figure="spending.tokens",
        sparse=True,
    ),
    _agent(
        "tmux_agent_reasoning_tokens_total",
        "Tokens of reasoning, where the program counts them: a part of those of the kind output.",
        labels=(*AGENT, "model"),
        figure="spending.reasoning_tokens",
    ),
    _agent(
        "tmux_agent_cost_dollars_total",
        "What the tokens of the agent cost, in US dollars, since the exporter saw it first, by who says so: "
        "agent (its program itself) or table (an estimate by the table of prices of docs/spending.md; "
        "what a subscription pays is another matter). Tokens without a price are in "
        "tmux_agent_unpriced_tokens_total.",
        labels=(*AGENT, "source"),
        figure="spending.cost_dollars",
        sparse=True,
    ),
    _agent(
        "tmux_agent_unpriced_tokens_total",
        "Tokens of the agent that have no price: of a model that is not in the table, or served faster, in a "
        "batch or in one region only.",
        figure="spending.unpriced_tokens",
    ),
    _agent(
        "tmux_agent_requests_total",
        "Requests to a model that the agent's program wrote down since the exporter saw it first, those of "
        "its subagents included; each once.",
        figure="spending.requests",
    ),
    _agent(
        "tmux_agent_turns_total",
        "Turns that the agent finished since the exporter saw it first: what it did for one prompt.",
        figure="spending.turns",
    ),
    _agent(
        "tmux_agent_tool_calls_total",
        "Tool calls of the agent that ended since the exporter saw it first, by result: error where the tool "
        "failed or was refused.",
        labels=(*AGENT, "result"),
        figure="spending.tool_calls",
    ),
    _agent(
        "tmux_agent_compactions_total",
        "How often the agent's program replaced its conversation by a summary since the exporter saw it "
        "first.",
        figure="spending.compactions",
    ),
    _agent(
        "tmux_agent_context_tokens",
        "Tokens of the context window that the last request of the agent's main conversation filled; not "
        "there before its first request, nor between a compaction and the next one.",
        figure="spending.context_tokens",
    ),
    _agent(
        "tmux_agent_context_window_tokens",
        "Size of the agent's context window, where its program tells it.",
        figure="spending.context_window_tokens",
    ),
    _agent(
        "tmux_agent_last_prompt_timestamp_seconds",
        "When somebody last asked the agent for something, in seconds since the epoch.",
        figure="spending.last_prompt_timestamp_seconds",
    ),
    _agent(
        "tmux_agent_state_cost_dollars_total",
        "What the agent has cost in each state of it, in US dollars, as its program says, else by the table "
        "of prices, since the exporter saw it first; what was spent between two samples counts for the state "
        "at the second.",
        labels=(*AGENT, "state"),
        figure="spending.state_cost_dollars",
        sparse=True,
    ),
    _agent(
        "tmux_agent_session_tokens",
        "Tokens that the agent's process has spent since it started, by kind, also before the exporter saw "
        "it; not there where a part of it stands in a file that nobody knows any more.",
        labels=(*AGENT, "kind"),
        figure="spending.session_tokens",
    ),
    _agent(
        "tmux_agent_session_cost_dollars",
        "What these tokens cost, in US dollars, by who says so; not there where some of them have no price.",
        labels=(*AGENT, "source"),
        figure="spending.session_cost_dollars",
        sparse=True,
    ),
)

_session = partial(
    Spec,
    subject="session",
    labels=("server", "session"),
    closed={"kind": tuple(TokenKind), "source": tuple(CostSource)},
)

SESSION_SPENDING = (
    _session(
        "tmux_session_tokens_total",
        "Tokens that all agents of the session have spent since the exporter saw them, by kind; also those "
        "that are gone, as long as one is there.",
        labels=("server", "session", "kind"),
        figure="tokens",
    ),
    _session(
        "tmux_session_cost_dollars_total",
        "What the tokens of the session's agents cost, in US dollars, by who says so.",
        labels=("server", "session", "source"),
        figure="cost_dollars",
        sparse=True,
    ),
    _session(
        "tmux_session_unpriced_tokens_total",
        "Tokens of the session's agents that have no price.",
        figure="unpriced_tokens",
    ),
)

_quota = partial(Spec, subject="agent", labels=("program", "account", "window"))

QUOTAS = (
    _quota(
        "tmux_agent_quota_used_ratio",
        "How much of a window of the quota of an account is used, as its program was told last: 1 is all of "
        "it. account is the number of the program's configuration folder: 0 for the usual one. Not there "
        "once the window has been reset.",
        figure="used_ratio",
    ),
    _quota(
        "tmux_agent_quota_reset_timestamp_seconds",
        "When the window of the quota is reset, in seconds since the epoch, as the program was told last.",
        figure="reset",
    ),
    _quota(
        "tmux_agent_quota_observed_timestamp_seconds",
        "When the program was told of this window last, in seconds since the epoch.",
        figure="observed",
    ),
)
