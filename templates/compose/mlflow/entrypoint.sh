#!/bin/sh
# Entry point of the image: runs its arguments as a command, after some preparation for MLflow.
set -eu
case "$*" in
*"mlflow server"*)
    # Partial uploads that a killed server left behind. Nothing permanent is stored there.
    mkdir -p "$TMPDIR"
    find "$TMPDIR" -mindepth 1 -delete
    if [ -n "${PGSERVICEFILE:-}" ]; then
        # In the background, because a shell handles no signals while a foreground command runs.
        python "$(dirname "$0")/check_login.py" &
        trap 'kill "$!"; exit 143' TERM INT
        wait "$!"
        trap - TERM INT
    fi
    ;;
esac
if [ -f "$SECRETS_DIR/mlflow_env" ]; then
    # Secrets that MLflow reads only from its environment. `docker inspect` does not show these.
    . "$SECRETS_DIR/mlflow_env"
fi
case "${MLFLOW_SERVER_ENABLE_JOB_EXECUTION:-} $* " in
"false "*"mlflow server"*)
    # Without jobs, which need MLflow's own parent process, everything can be imported once.
    while [ "$1" != server ]; do shift; done
    exec python "$(dirname "$0")/serve.py" "$@"
    ;;
esac
exec "$@"
