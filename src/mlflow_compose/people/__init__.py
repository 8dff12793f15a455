"""People who use a stack: their names in a roster, their logins and passwords.

Everything here is a pure function: rosters are text, and what is random is passed in.
"""

from mlflow_compose.people.passwords import LEAST_CHARACTERS, check_password, new_password
from mlflow_compose.people.roster import Person, login_of, read_roster

__all__ = [
    "LEAST_CHARACTERS",
    "Person",
    "check_password",
    "login_of",
    "new_password",
    "read_roster",
]
