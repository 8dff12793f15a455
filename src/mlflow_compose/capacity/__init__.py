"""How much a machine or several of them can carry, and what that costs.

`costs` has all constants: what the benchmarks measured, and what is assumed. `seats` computes how
many seats of a class fit on a machine; `demand`, `sizing` and `stages` what a number of users
needs; `queueing` how long requests take. Everything here is a pure function.
"""
