"""`unit` needs nothing but Python, `golden` renders whole trees, `e2e` runs real stacks."""
