"""A class: which people work at which seat, and what each of them gets.

Everything here is a pure function: files and servers are read and written by `actions`.
"""

from mlflow_compose.classroom.access import Access
from mlflow_compose.classroom.handouts import handouts
from mlflow_compose.classroom.members import (
    Members,
    members_of,
    members_text,
    newcomers,
    numbered,
    own_place,
    read_members,
)
from mlflow_compose.classroom.seat_files import Server

__all__ = [
    "Access",
    "Members",
    "Server",
    "handouts",
    "members_of",
    "members_text",
    "newcomers",
    "numbered",
    "own_place",
    "read_members",
]
