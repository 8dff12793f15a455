"""What data scientists write with MLflow's own client; run as a program of its own.

`python -m tests.e2e.clients FOLDER STEP...` takes each step in turn and prints one line of JSON:
what each saw, or its traceback, so that one that fails hides no other. It is told no more than a
user is: an address, a login, and with direct access an S3 key. `watch.py` is the tests' side.
"""
