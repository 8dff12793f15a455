"""What data scientists write with MLflow's own client, run as a separate program.

`python -m tests.e2e.clients FOLDER STEP...` executes each step in turn and prints one line of
JSON with the result or traceback of each, so that a failing step does not hide the others. It
knows no more than a user: a URL, a login, and with direct access an S3 key. `watch.py` is the
tests' side.
"""
