"""Measures classes: a server for each seat, one server for all, and seats in each other's way.

`python -m bench.classroom` runs it. `measuring.py` has the order of measurements; results and page
are made by pure functions.
"""
