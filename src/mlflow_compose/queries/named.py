"""Queries with names, for PostgreSQL and SQLite."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.errors import UsageError

# In a query: `:n` is its n-th argument, an empty text if that is optional and missing;
# `UTC(column)` is a column of milliseconds as a date and time, `VALUE(table)` a metric's value;
# `WORKSPACE(table)` is a column that only stacks with workspaces show.
ARGUMENT = re.compile(r":(\d)")
MOMENT = re.compile(r"UTC\(([\w.]+)\)")
POSTGRES_MOMENT = r"to_char(to_timestamp(\1 / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
# MLflow stores NaN as 0 with a mark.
VALUE = re.compile(r"VALUE\((\w+)\)")
KNOWN_VALUE = r"CASE WHEN \1.is_nan THEN NULL ELSE \1.value END AS value"
WORKSPACE = re.compile(r"WORKSPACE\((\w+)\),\s*")
SQLITE_MOMENT = r"strftime('%Y-%m-%d %H:%M:%S', \1 / 1000, 'unixepoch')"


@dataclass(frozen=True)
class Query:
    """A query with a name.

    Attributes:
        about: The question that it answers.
        text: The query.
        needed: Names of its arguments.
        optional: Names of the arguments that may follow.
    """

    about: str
    text: str
    needed: Sequence[str] = ()
    optional: Sequence[str] = ()

    @property
    def usage(self) -> str:
        """Its arguments, as in a command line."""
        return " ".join((*self.needed, *(f"[{name}]" for name in self.optional)))


def query_of(
    given: Sequence[str], *, postgres: bool, workspaces: bool = False
) -> tuple[str, Sequence[str]]:
    """Return the query and the arguments that a command line means.

    Args:
        given: A query's name with its arguments, or one statement.
        postgres: Whether the database is PostgreSQL; otherwise, it is SQLite.
        workspaces: Whether the stack has workspaces.

    Raises:
        UsageError: There is no such query, or its arguments are too few or too many.
    """
    name, *arguments = given
    if not (query := QUERIES.get(name)):
        if arguments or not re.search(r"\s", name.strip()):
            raise UsageError(
                f"there is no query {name}", hint="mlflow-compose sql --list shows all of them"
            )
        return name, ()
    most = len(query.needed) + len(query.optional)
    if not len(query.needed) <= len(arguments) <= most:
        raise UsageError(
            f"{name} takes {query.usage or 'no arguments'}",
            hint=f"mlflow-compose sql {name} {query.usage}".rstrip(),
        )
    text = spelled(query.text, postgres=postgres, workspaces=workspaces)
    return text, [*arguments, *[""] * (most - len(arguments))]


def spelled(text: str, *, postgres: bool, workspaces: bool = False) -> str:
    """Return a named query as the database spells it."""
    # Older MLflow versions have no such column.
    text = WORKSPACE.sub(r"\1.workspace, " if workspaces else "", text)
    text = VALUE.sub(KNOWN_VALUE, text)
    if postgres:
        text = MOMENT.sub(POSTGRES_MOMENT, text)
        return ARGUMENT.sub(r"current_setting('mlflow_compose.argument_\1')", text)
    return ARGUMENT.sub(r":argument_\1", MOMENT.sub(SQLITE_MOMENT, text))


QUERIES: Mapping[str, Query] = {
    "runs-per-experiment": Query(
        "How many runs does each experiment have, and when was the last one?",
        """
        SELECT WORKSPACE(e), e.experiment_id, e.name, count(r.run_uuid) AS runs,
               sum(CASE WHEN r.status = 'FAILED' THEN 1 ELSE 0 END) AS failed,
               UTC(last.moment) AS last_run
        FROM experiments e
        LEFT JOIN runs r ON r.experiment_id = e.experiment_id AND r.lifecycle_stage = 'active'
        LEFT JOIN (SELECT experiment_id, max(start_time) AS moment FROM runs
                   WHERE lifecycle_stage = 'active' GROUP BY experiment_id) last
             ON last.experiment_id = e.experiment_id
        WHERE e.lifecycle_stage = 'active'
        GROUP BY WORKSPACE(e), e.experiment_id, e.name, last.moment
        ORDER BY runs DESC, e.name
        """,
    ),
    "latest-metrics": Query(
        "What are the last values of the metrics of each run?",
        """
        SELECT WORKSPACE(e), e.name AS experiment, r.name AS run, m.key, VALUE(m), m.step
        FROM latest_metrics m
        JOIN runs r ON r.run_uuid = m.run_uuid
        JOIN experiments e ON e.experiment_id = r.experiment_id
        WHERE r.lifecycle_stage = 'active' AND (:1 = '' OR e.name = :1)
        ORDER BY WORKSPACE(e), e.name, r.start_time, m.key
        """,
        optional=("EXPERIMENT",),
    ),
    "metric-history": Query(
        "How did a metric of a run develop?",
        """
        SELECT m.key, m.step, VALUE(m), UTC(m.timestamp) AS logged
        FROM metrics m WHERE m.run_uuid = :1 AND (:2 = '' OR m.key = :2)
        ORDER BY m.key, m.step, m.timestamp
        """,
        needed=("RUN_ID",),
        optional=("METRIC",),
    ),
    "best-runs": Query(
        "Which runs have the highest value of a metric?",
        """
        SELECT WORKSPACE(e), e.name AS experiment, r.name AS run, r.run_uuid AS run_id, m.value
        FROM latest_metrics m
        JOIN runs r ON r.run_uuid = m.run_uuid
        JOIN experiments e ON e.experiment_id = r.experiment_id
        WHERE m.key = :1 AND r.lifecycle_stage = 'active' AND NOT m.is_nan
        ORDER BY m.value DESC, r.start_time
        """,
        needed=("METRIC",),
    ),
    "params-of": Query(
        "Which params does a run have?",
        "SELECT p.key, p.value FROM params p WHERE p.run_uuid = :1 ORDER BY p.key",
        needed=("RUN_ID",),
    ),
    "tags": Query(
        "Which tags does a run have?",
        "SELECT t.key, t.value FROM tags t WHERE t.run_uuid = :1 ORDER BY t.key",
        needed=("RUN_ID",),
    ),
    "slowest": Query(
        "Which runs took longest?",
        """
        SELECT WORKSPACE(e), e.name AS experiment, r.name AS run, r.run_uuid AS run_id, r.status,
               (r.end_time - r.start_time) / 1000 AS seconds
        FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
        WHERE r.lifecycle_stage = 'active' AND r.end_time IS NOT NULL
        ORDER BY r.end_time - r.start_time DESC, r.start_time
        """,
    ),
    "models": Query(
        "Which versions does each registered model have, and which aliases?",
        """
        SELECT WORKSPACE(v), v.name AS model, v.version, a.alias, v.run_id,
               UTC(v.creation_time) AS created
        FROM model_versions v
        LEFT JOIN registered_model_aliases a
             ON (WORKSPACE(a), a.name) = (WORKSPACE(v), v.name) AND a.version = v.version
        WHERE v.current_stage <> 'Deleted_Internal'
        ORDER BY WORKSPACE(v), v.name, v.version, a.alias
        """,
    ),
    "storage": Query(
        "What takes up space: how many rows has each experiment?",
        """
        SELECT WORKSPACE(e), e.name AS experiment, count(DISTINCT r.run_uuid) AS runs,
               sum(n.metrics) AS metrics, sum(n.params) AS params, sum(n.tags) AS tags
        FROM experiments e
        JOIN runs r ON r.experiment_id = e.experiment_id
        JOIN (SELECT s.run_uuid,
                     (SELECT count(*) FROM metrics m WHERE m.run_uuid = s.run_uuid) AS metrics,
                     (SELECT count(*) FROM params p WHERE p.run_uuid = s.run_uuid) AS params,
                     (SELECT count(*) FROM tags t WHERE t.run_uuid = s.run_uuid) AS tags
              FROM runs s) n ON n.run_uuid = r.run_uuid
        GROUP BY WORKSPACE(e), e.name ORDER BY metrics DESC, e.name
        """,
    ),
}
