"""One `.env` in, one working and verified MLflow stack out.

The packages, in the order of the data flow: `settings` reads `.env`, `stack` decides what runs,
`render` writes the files, `engines` run them, `clients` talk to the servers, `checks` verify the
stack, `actions` combine these steps, one for each command, and `cli` is the command line.
"""

__version__ = "0.1.0"
