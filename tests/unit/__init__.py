"""Each package on its own, and the command line: no Docker, no network, done in seconds."""
