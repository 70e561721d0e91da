"""Events: kernel exec and exit events, operations reported over a socket."""
