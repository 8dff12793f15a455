"""Shared code of the modules that run inside a service: results, the S3 client, MLflow's tables.

`engines/remote.py` sends these along. They import only the standard library and what MLflow's
image has.
"""
