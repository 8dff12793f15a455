"""How much several tracking servers answer: 1, 2 and 4 of them, in one run.

`python -m bench.replicas` runs it; `make bench-replicas` does so with the right Python.
"""
