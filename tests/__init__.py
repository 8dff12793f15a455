"""`unit` only needs Python, `golden` renders whole trees, `e2e` runs real stacks."""
