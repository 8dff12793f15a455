"""Passwords that people type from paper."""

from collections.abc import Callable, Sequence

# Without those that look alike in print: l and 1, o and 0, and so on. There are 32.
CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS, GROUP = 4, 4


def new_password(choice: Callable[[Sequence[str]], str]) -> str:
    """Return a password of 80 bits, such as `h4kp-9wzn-e2rt-mc6b`.

    Args:
        choice: Chooses one character, at random or from what a secret is derived from.
    """
    groups = ("".join(choice(CHARACTERS) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)
