"""Measures what `plan --users` computes with: the cost of each request, and times under load.

`python -m bench.capacity` runs it; `docs/architecture/performance.md` explains how.
"""
