#!/bin/bash
# schedule_with_note.sh SECONDS NOTE TARGET: starts a scheduler. It outlives this script, and its session.
[ "$OP_OF" = "$0" ] || ! command -v tmux-exporter >/dev/null || OP_OF=$0 exec tmux-exporter op scheduling -- bash "$0" "$@"

# Not a variable called SECONDS: bash counts in that itself.
delay=$1 note=$2 target=$3
[[ $delay =~ ^[0-9]+$ ]] || { echo "not a whole number of seconds: $delay" >&2; exit 2; }
printf -v keys '%q ' tmux send-keys -t "=$target" "$note" Enter
nohup bash -c "sleep $delay && $keys" >/dev/null 2>&1 &
echo "scheduler for $target in $delay s, process $!"
