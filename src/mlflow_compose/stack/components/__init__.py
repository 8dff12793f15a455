"""The services of a stack: one module for each kind, which owns everything specific to it.

A module defines a `Kind`; `stack/services.py` lists them. `Surroundings` has what a service needs
to know about the rest of the stack.
"""
