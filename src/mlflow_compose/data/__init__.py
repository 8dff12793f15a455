"""What moves data: into a stack, and from one store to another.

`inside/` is sent to where MLflow runs and copies rows from database to database there; it may use
what MLflow's image has, and nothing of ours. What is beside it runs on this machine.
"""

__all__: list[str] = []
