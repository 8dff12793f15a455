"""Every room by itself, and the command line around them: no Docker, no network, seconds."""
