#!/bin/sh
# agents.sh COMMAND…: run each command (one text each) as an agent in a window of a tmux server of its own, wait for all of
# them, and end with the status of the first that failed. No terminal, HOME or configuration is needed.
set -eu
TMUX_TMPDIR=$(mktemp -d)
export TMUX_TMPDIR
unset TMUX
trap 'tmux kill-server 2>/dev/null || true; rm -rf "$TMUX_TMPDIR"' EXIT
# A server ends with its last window; this one lasts until the trap.
tmux -f /dev/null new-session -d -s agents -n keeper -x 200 -y 50 'exec sleep 2147483647'
number=0
for command; do
    number=$((number + 1))
    printf '%s\n' "$command" >"$TMUX_TMPDIR/$number.sh"
    tmux new-window -d -t agents: -n "agent-$number" \
        "sh $TMUX_TMPDIR/$number.sh; echo \$? >$TMUX_TMPDIR/$number.status; tmux wait-for -S agent-$number"
done
each=0
while [ "$each" -lt "$number" ]; do
    each=$((each + 1))
    tmux wait-for "agent-$each"
    status=$(cat "$TMUX_TMPDIR/$each.status")
    [ "$status" = 0 ] || exit "$status"
done
