#!/bin/sh
# Caddy: encrypts the connections of clients (TLS).
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/proxy.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/caddy-2.11.7-cc138733/bin/python ]; then
    echo "the packages that proxy needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/caddy-2.11.7-cc138733/bin:/home/student/.cache/mlflow-compose/caddy-2.11.7-cc138733/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export HOME=/nonexistent

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/proxy.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/proxy STACK_FOLDER="$(pwd -P)"
python end_orphans.py

exec caddy run --adapter caddyfile --config proxy/Caddyfile
