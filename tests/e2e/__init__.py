"""The whole tool against the real world: sentences about a user, a stack, and what befalls it.

Every scenario drives the console script as a user would and then asserts state: rows, bytes,
health. `running.py` is a stack as scenarios see it, whatever runs it; `docker_stack.py` is the
same on Docker. A scenario that only looks uses `shared`, one that leaves the stack well uses
`mended`, and one that needs its own settings makes a stack with `make_stack`.
"""
