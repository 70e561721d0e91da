#!/bin/bash
# send-claude-message.sh TARGET MESSAGE…: type a message into an agent's pane, and send it.
[ "$OP_OF" = "$0" ] || ! command -v tmux-exporter >/dev/null || OP_OF=$0 exec tmux-exporter op inter_agent_message -- bash "$0" "$@"

target=$1
shift
# A target of tmux that begins with `=` is meant exactly: without it `shop` would also find `shop-two`.
tmux send-keys -t "=$target" -l -- "$*" || exit
sleep 0.2
tmux send-keys -t "=$target" Enter
