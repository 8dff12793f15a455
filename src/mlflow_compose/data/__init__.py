"""Import, migrate and free data: one package for each.

`importing/` imports data of other MLflow stores into a stack, `migration/` moves a stack from one
store to another, `garbage/` frees what nothing uses any more. The modules in `inside/` are sent to
where MLflow runs: they may only import each other, `engines.inside` and what MLflow's image has.

They are imported where they are used: each has many modules, and most commands need none of them.
"""
