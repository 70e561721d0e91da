// The shipped rules and boards as a mixin, for jsonnet 0.19 and newer (std.parseYaml).
local groups = std.parseYaml(importstr 'other/prometheusrule.yml').spec.groups;
local kind(end) = { groups+: std.filter(function(group) std.endsWith(group.name, end), groups) };
{
  prometheusRules+:: kind('_recording'),
  prometheusAlerts+:: kind('_alerting'),
  grafanaDashboards+:: {
    'tmux-fleet.json': import '../dashboards/json/fleet.json',
    'tmux-session.json': import '../dashboards/json/session.json',
    'tmux-agent.json': import '../dashboards/json/agent.json',
    'tmux-leaks.json': import '../dashboards/json/leaks.json',
    'tmux-slo.json': import '../dashboards/json/slo.json',
    'tmux-servers.json': import '../dashboards/json/servers.json',
  },
}
