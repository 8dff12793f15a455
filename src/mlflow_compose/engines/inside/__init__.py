"""Shared code of the modules that run inside a service: reporting results, and the S3 client.

`engines/remote.py` sends these along. They import only the standard library and what MLflow's
image has.
"""
