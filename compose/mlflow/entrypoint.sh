#!/bin/sh
set -eu
case "$*" in
"mlflow server"*)
    # What a killed server left behind: half-uploaded artifacts. Nothing else is kept in /tmp.
    find /tmp -mindepth 1 -delete
    python /usr/local/lib/check_login.py
    ;;
esac
if [ -f /run/secrets/mlflow_env ]; then
    # MLflow reads some secrets from its environment only; read here, `docker inspect` shows none.
    . /run/secrets/mlflow_env
fi
exec "$@"
