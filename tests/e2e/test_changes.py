"""`up` alone applies a change in `.env`, and stored data stays.

Changed secrets are proven in test_security_odd.py and test_security_markers.py.
"""

from .running import RunningStack, local_only


@local_only("on Docker, test_plain_compose proves it, together with an override")
def test_a_changed_port_must_recreate_only_mlflow(shared: RunningStack, free_port: int) -> None:
    run, before, starts = shared.log_run(), shared.ids(), shared.starts()
    try:
        with shared.changed(MLFLOW_PORT=str(free_port)):
            shared.up()
            after = shared.ids()
            changed = {name for name, start in shared.starts().items() if start != starts[name]}
            assert changed == {"mlflow"}
            assert {name for name in after if after[name] != before[name]} == {"mlflow"}
            shared.expect(run)
    finally:
        shared.up()
