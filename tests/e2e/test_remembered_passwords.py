"""The server hashes a password once for each hash in the database."""

import json

from .local_stack import LocalStack
from .running import local_only

# Checks passwords as MLflow does, and counts how often that hashes one.
CHECKED = """
import json, runpy, werkzeug.security as security
hashed, check = [], security.check_password_hash
security.check_password_hash = lambda *words: hashed.append(words) or check(*words)
runpy.run_path("mlflow/serve.py")["remember_passwords"]()
before, after = (security.generate_password_hash(word) for word in ("old", "new"))
found = []
for stored, password in %s:
    known = len(hashed)
    right = security.check_password_hash({"before": before, "after": after}[stored], password)
    found.append([stored, password, right, len(hashed) > known])
print("CHECKED", json.dumps(found))
"""


@local_only("both engines run the same server")
def test_a_password_must_be_hashed_again_only_if_it_was_wrong_or_its_hash_changed(
    shared: LocalStack,
) -> None:
    expected = [
        ["before", "old", True, True],
        ["before", "old", True, False],
        ["before", "new", False, True],
        ["before", "new", False, True],
        ["after", "old", False, True],
        ["after", "new", True, True],
        ["before", "old", True, False],
    ]
    asked = [(stored, password) for stored, password, *_ in expected]
    output = shared.execute("mlflow", "python", "-c", CHECKED % asked)
    line = next(line for line in output.splitlines() if line.startswith("CHECKED "))
    assert json.loads(line.removeprefix("CHECKED ")) == expected
