"""Start MLflow's server on this machine, use it, and stop it."""

# %%
import os
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import mlflow

DATA = Path(__file__).parent / "data"
DATA.mkdir(exist_ok=True)

# %% [markdown]
# The server needs a port, a database for runs and a folder for artifacts. The system picks a free
# port.

# %%
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
url = f"http://127.0.0.1:{port}"
command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
command += ["--backend-store-uri", f"sqlite:///{DATA / 'mlflow.db'}"]
command += ["--artifacts-destination", str(DATA / "artifacts"), "--workers", "1"]


# %%
def wait_for(server: subprocess.Popen, seconds: float = 120) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit("the server ended; its last lines are above")
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(f"the server did not answer within {seconds} s")


# %% [markdown]
# The client is told one URL. It never sees the database or the folder.

# %%
# Without the processes for background jobs, which evaluate traces, it starts in half the time.
fast = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
with subprocess.Popen(command, env=fast) as server:
    try:
        wait_for(server)
        mlflow.set_tracking_uri(url)
        mlflow.set_experiment("example: local server")
        with mlflow.start_run(run_name="hello") as run:
            mlflow.log_param("colour", "blue")
            mlflow.log_metric("answer", 42)
            mlflow.log_text("sent to the server\n", "note.txt")
        stored = mlflow.get_run(run.info.run_id)
        print(stored.data.params, stored.data.metrics, stored.info.artifact_uri)
    finally:
        server.terminate()
