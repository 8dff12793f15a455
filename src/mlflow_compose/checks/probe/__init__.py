"""Look at a stack from the inside: runs where the mlflow service runs, with its secrets.

The sources of these files are handed to `python -c` there, so they import nothing of ours but
each other, and only what the image has. `main.py` takes one JSON argument,
{"only": [LINK…], "bucket": …, "folder": …, "backend": …, "runs": [WHAT, WHERE], "artifacts": …,
"external": …, "tracking": URL, "key_is_limited": …} and optionally
{"run_id": …, "objects": {KEY: SIZE}, "experiment_id": …, "model": …}, and prints one JSON object:
for each link its `cause` (empty where all is well), a `detail` and the `seconds` it took.
"""
