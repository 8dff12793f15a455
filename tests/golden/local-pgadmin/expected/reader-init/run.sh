#!/bin/sh
# Creates the database role that can only read, then exits.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/reader-init.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that reader-init needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export PGSERVICEFILE=secrets/pg_service.conf
export READER_FILE=secrets/pg_reader.conf

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/reader-init.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/reader-init STACK_FOLDER="$(pwd -P)"
python end_orphans.py

# Wait until mlflow is healthy.
until sh mlflow/healthcheck.sh >/dev/null 2>&1; do
    sleep 0.2
done

python reader-init/reader_init.py
touch run/reader-init.done
