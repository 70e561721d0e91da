"""The only room that signals a process or shows something in tmux."""
