"""End-to-end tests: the whole tool with real stacks.

Every scenario drives the console script as a user would and then asserts state: rows, bytes,
health. `running.py` is a stack as scenarios see it, independent of the engine; `docker_stack.py`
and `local_stack.py` implement it. A scenario that only reads uses `shared`, one that breaks and
repairs the stack uses `mended`, and one that needs its own settings calls `make_stack`.
"""
