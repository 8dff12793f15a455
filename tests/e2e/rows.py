"""Rows of an imported source in a stack's database, read without MLflow."""

from .running import RunningStack


class Rows:
    """The rows of a source's experiments, whose names share a prefix."""

    def __init__(self, stack: RunningStack, name: str) -> None:
        self._stack = stack
        self._name = name

    def counts(self) -> dict[str, int]:
        """Return the number of rows by table and by property."""
        tables = ("runs", "params", "metrics", "latest_metrics")
        queries = {
            **{table: self._of_runs(table) for table in tables},
            "deleted runs": self._of_runs("runs", "r.lifecycle_stage = 'deleted'"),
            "not numbers": self._of_runs("metrics", "t.is_nan AND t.value = 0"),
            "own tags": self._of_runs("tags", "t.value LIKE 'test % ü'"),
            "data sets": self._query("datasets d", "d"),
            "inputs": self._query(
                "inputs i JOIN input_tags USING (input_uuid) "
                "JOIN datasets d ON d.dataset_uuid = i.source_id "
                "JOIN runs r ON r.run_uuid = i.destination_id "
                "AND r.experiment_id = d.experiment_id",
                "r",
            ),
            "in the trash": self._of_runs("runs", "e.lifecycle_stage = 'deleted'"),
            "traces": self._query(
                "trace_info t JOIN assessments ON trace_id = request_id", "t", "t.status = 'OK'"
            ),
        }
        found = self._stack.sql(";\n".join(queries.values()))
        return dict(zip(queries, map(int, found), strict=True))

    def _of_runs(self, table: str, condition: str = "true") -> str:
        return self._query(f"{table} t JOIN runs r USING (run_uuid)", "r", condition)

    def _query(self, tables: str, of: str, condition: str = "true") -> str:
        return (
            f"SELECT count(*) FROM {tables} JOIN experiments e "  # noqa: S608
            f"ON e.experiment_id = {of}.experiment_id "
            f"WHERE e.name LIKE '{self._name} %' AND {condition}"
        )

    def places(self) -> dict[str, str]:
        """Return the artifact location of each run and each logged model."""
        of = f"JOIN experiments e USING (experiment_id) WHERE e.name LIKE '{self._name} %'"
        found = self._stack.sql(
            f"SELECT run_uuid, e.experiment_id || '/' || run_uuid FROM runs {of} "  # noqa: S608
            "UNION ALL SELECT model_id, e.experiment_id || '/models/' || model_id "
            f"FROM logged_models {of}"
        )
        return dict(row.split("|") for row in found)

    def spans(self) -> list[str]:
        """Return the spans of traces, and whether each has a duration."""
        of = f"JOIN experiments e USING (experiment_id) WHERE e.name LIKE '{self._name} %'"
        return self._stack.sql(f"SELECT s.name, duration_ns > 0 FROM spans s {of} ORDER BY 1")  # noqa: S608
