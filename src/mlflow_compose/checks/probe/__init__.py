"""Check a stack from inside: runs where the mlflow service runs, with its secrets.

The sources of these files are passed to `python -c` there, so they import only each other and what
the image has. `main.py` takes one JSON argument,
{"only": [LINK…], "bucket": …, "folder": …, "backend": …, "runs": [WHAT, WHERE], "artifacts": …,
"external": …, "tracking": URL, "key_is_limited": …} and optionally
{"run_id": …, "objects": {KEY: SIZE}, "experiment_id": …, "model": …}, and prints one JSON object:
for each link its `cause` (empty if it works), a `detail` and the `seconds` it took.
"""
