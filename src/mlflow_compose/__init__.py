"""One `.env` in, one working and proven MLflow stack out.

The rooms, in the order in which data goes through them: `settings` reads `.env`, `stack`
decides what runs, `render` writes it down, `engines` run it, `clients` talk to it, `checks`
prove it, `actions` put these steps behind one call each, and `cli` is what is typed.
"""

__version__ = "0.1.0"
