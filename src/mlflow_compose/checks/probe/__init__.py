"""Check a stack from inside the mlflow service, with its secrets.

The sources of these modules are sent to a Python process there, so they import only each other and
what the image has. `main.py` gets one JSON request,
{"only": [LINK…], "bucket": …, "folder": …, "backend": …, "runs": [WHAT, WHERE], "artifacts": …,
"external": …, "tracking": URL, "key_is_limited": …} and optionally
{"run_id": …, "objects": {KEY: SIZE}, "experiment_id": …, "model": …}, and returns one JSON object:
for each link its `cause` (empty if it works), a `detail` and the `seconds` it took.
"""
