#!/bin/sh
# pgAdmin: the tables of runs in a browser, which it can only read.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/pgadmin.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/pgadmin-9.18-711e8da0/bin/python ]; then
    echo "the packages that pgadmin needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/pgadmin-9.18-711e8da0/bin:/home/student/.cache/mlflow-compose/pgadmin-9.18-711e8da0/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export SECRETS_DIR=secrets
export PGADMIN_ADDRESS=127.0.0.1
export PGADMIN_PORT=5050
export PGADMIN_DATA=data/pgadmin_data
export PGADMIN_EMAIL=mlflow@example.com

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/pgadmin_data)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/pgadmin.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/pgadmin STACK_FOLDER="$(pwd -P)"
python end_orphans.py

# Wait until reader-init has succeeded since supervisord was started.
until [ run/reader-init.done -nt run/supervisord.pid ]; do
    sleep 0.2
done

exec python pgadmin/start_pgadmin.py
