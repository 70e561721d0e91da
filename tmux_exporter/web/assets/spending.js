// What agents spend: columns of the agents' table, facts of one agent, and the quotas of accounts.

import { figure } from "./columns.js";
import { UNKNOWN, ago, duration, moment, near, plural, until } from "./format.js";
import { isLimited } from "./words.js";

const KINDS = ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h"];

const models = ({ spending }) => Object.values(spending?.since_start.models ?? {});
const sum = (items, value) => items.reduce((all, each) => all + (value(each) ?? 0), 0);

// In all, since its process started; null where no file is known.
const costOf = (agent) => (agent.spending ? sum(models(agent), (each) => each.cost_dollars) : null);
const tokensOf = (agent) => (agent.spending ? sum(models(agent), (each) => sum(KINDS, (kind) => each[kind])) : null);

// At least that: more was spent before it was known, or has no price.
const isPart = (agent) => !agent.spending.since_start.whole || models(agent).some((each) => each.unpriced_tokens);

const dollars = (value) => `$${value.toFixed(2)}`;
const tokens = (value) => Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);

function filled({ spending }) {
  const { context_tokens: used, context_window_tokens: all } = spending ?? {};
  return used != null && all ? used / all : null;
}

export const cost = {
  ...figure("cost", "Spent", costOf, (agent) => {
    if (!agent.spending) return { text: UNKNOWN, title: "no file is surely its own" };
    const context = filled(agent);
    return {
      text: dollars(costOf(agent)) + (isPart(agent) ? "+" : ""),
      note: `${tokens(tokensOf(agent))} tokens`,
      mark: context > 0.9 ? "warn" : "",
      title: spentWords(agent),
    };
  }),
  optional: true,
  hint: "US dollars and tokens since it started: as its program says, else an estimate by a table of prices",
};

function spentWords(agent) {
  const context = filled(agent);
  return [
    `${dollars(costOf(agent))}${isPart(agent) ? " at least" : ""}, ${tokens(tokensOf(agent))} tokens since it started`,
    context === null ? "" : `context ${Math.floor(context * 100)} % full`,
  ]
    .filter(Boolean)
    .join("; ");
}

export const spentFacts = (agent) => (agent.spending ? [["Spent", spentWords(agent)]] : []);

// Agents that stand at a limit together are told in one row.
export function limitedTogether(agents) {
  const limited = agents.filter((agent) => agent.state === "waiting" && isLimited(agent));
  return limited.length > 1 ? limited : [];
}

export function limitRow(limited, agents, now) {
  const ends = limited.map((agent) => agent.usage_limit_reset_timestamp_seconds).filter((time) => time !== null);
  const since = Math.min(...limited.map((agent) => agent.state_since_timestamp_seconds));
  const running = agents.filter((agent) => agent.up).length;
  const names = limited.map((agent) => agent.agent);
  const told = names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
  return {
    key: "quota\n",
    kind: "warn",
    pill: "usage limit",
    who: `${limited.length} of ${plural(running, "agent")}`,
    where: "",
    what: `stand still${ends.length ? ` until ${near(Math.min(...ends), now)}` : ""}: ${told}`,
    title: `${names.join(", ")}; for ${duration(Math.max(0, now - since))}`,
    since,
    place: "#agents",
    step: "tmux-exporter usage",
  };
}

export const quotas = {
  id: "quotas",
  title: "Quotas",
  optional: true,
  items: (report) => report.quotas ?? [],
  key: (quota) => `${quota.program}\n${quota.account}\n${quota.window}`,
  search: (quota) => [quota.program, quota.window],
  sort: { by: "used", down: true },
  empty: "No program was told of a quota.",
  columns: [
    {
      id: "program",
      title: "Program",
      head: true,
      value: (quota) => quota.program,
      show: (quota) => ({
        text: quota.program,
        note: quota.account ? `account ${quota.account}` : "",
        title: "all agents of one configuration folder share it",
      }),
    },
    { id: "window", title: "Window", value: (quota) => quota.window, show: (quota) => ({ text: quota.window }) },
    figure("used", "Used", (quota) => quota.used_ratio, (quota) => {
      const ratio = quota.used_ratio;
      if (ratio === null) return { text: UNKNOWN, title: "it was reset; nothing was told since" };
      return { text: `${Math.floor(ratio * 100)} %`, mark: ratio >= 1 ? "bad" : ratio > 0.9 ? "warn" : "" };
    }),
    figure("reset", "Reset", (quota) => quota.reset_timestamp_seconds, (quota, { now }) => ({
      text: until(quota.reset_timestamp_seconds, now).replace(/^.* late$/, "over"),
      title: moment(quota.reset_timestamp_seconds),
    })),
    figure("told", "Told", (quota) => quota.observed_timestamp_seconds, (quota, { now }) => ({
      text: ago(quota.observed_timestamp_seconds, now),
      title: moment(quota.observed_timestamp_seconds),
    })),
  ],
};
