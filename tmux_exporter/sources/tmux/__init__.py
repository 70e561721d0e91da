"""tmux servers: found, asked over their socket, answers parsed."""
