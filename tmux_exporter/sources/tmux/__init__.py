"""Find tmux servers, query them over their sockets, parse the answers."""
