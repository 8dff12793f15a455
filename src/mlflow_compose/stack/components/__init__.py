"""The services of a stack: a module for each kind, which owns all that is particular to it.

A module defines a `Kind`; `stack/services.py` lists them. What a service needs to know of the rest
of the stack is in `Surroundings`.
"""
