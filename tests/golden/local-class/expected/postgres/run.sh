#!/bin/sh
# MLflow's backend store: experiments, runs, params, metrics and tags.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/postgres.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that postgres needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export POSTGRES_USER=mlflow
export POSTGRES_DB=mlflow
export POSTGRES_PASSWORD_FILE=secrets/pg_password
export PGDATA=data/postgres_data/pgdata
export PGPORT=5432
export LISTEN_ADDRESSES=127.0.0.1
export RUN_AS=''

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/postgres_data)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/postgres.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/postgres STACK_FOLDER="$(pwd -P)"
python end_orphans.py

exec python postgres/start_postgres.py --shared_buffers=32MB --max_connections=500 --huge_pages=off --jit=off
