"""Operations and tmux commands: latency, errors, reporters."""
