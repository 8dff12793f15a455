#!/bin/sh
# Becomes what it is given. Before an MLflow server it does what that needs.
set -eu
case "$*" in
*"mlflow server"*)
    # What a killed server left behind: half-uploaded artifacts. Nothing that is to last is there.
    mkdir -p "$TMPDIR"
    find "$TMPDIR" -mindepth 1 -delete
    if [ -n "${PGSERVICEFILE:-}" ]; then
        # In the background, since a shell that waits for a command takes no signal.
        python "$(dirname "$0")/check_login.py" &
        trap 'kill "$!"; exit 143' TERM INT
        wait "$!"
        trap - TERM INT
    fi
    ;;
esac
if [ -f "$SECRETS_DIR/mlflow_env" ]; then
    # MLflow reads some secrets from its environment only; read here, `docker inspect` shows none.
    . "$SECRETS_DIR/mlflow_env"
fi
case "${MLFLOW_SERVER_ENABLE_JOB_EXECUTION:-} $* " in
"false "*"mlflow server"*" --workers=1 "*)
    # One worker and no jobs need no second process.
    while [ "$1" != server ]; do shift; done
    exec python "$(dirname "$0")/serve.py" "$@"
    ;;
esac
exec "$@"
