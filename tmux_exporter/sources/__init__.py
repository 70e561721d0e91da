"""The only code that looks at the world: tmux, /proc. Facts out, nothing acted on."""
