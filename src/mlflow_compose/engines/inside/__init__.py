"""What every module that runs inside needs: how it answers, and how it reaches S3.

`engines/remote.py` sends these along. They import nothing but the standard library and what
MLflow's image has.
"""
