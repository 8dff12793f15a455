#!/bin/sh
# Entry point of the image: runs its arguments as a command, after some preparation for MLflow.
set -eu
case "$*" in
*"mlflow server"*)
    # A folder of the server's own: TMPDIR may be one that the user mounted, with other files in it.
    # One for each user, who cannot read those of others.
    TMPDIR="$TMPDIR/mlflow-uploads-$(id -u)"
    export TMPDIR
    (umask 077 && mkdir -p "$TMPDIR")
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
"false mlflow server "* | "false python -m mlflow server "*)
    # Without jobs, which need MLflow's own parent process, everything can be imported once.
    while [ "$1" != server ]; do shift; done
    # It deletes what servers that were killed left behind in TMPDIR.
    exec python "$(dirname "$0")/serve.py" "$@"
    ;;
*"mlflow server"*)
    # The same, for a server that shares the folder with no other one: partial uploads. What cannot be
    # deleted is only reported.
    find "$TMPDIR" -xdev -mindepth 1 -delete || true
    ;;
esac
exec "$@"
