#!/bin/sh
# MLflow's artifact store: models, plots and files of runs, as objects in a bucket.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/s3.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that s3 needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export S3_ADDRESS=127.0.0.1:9000
export S3_FOLDER=data/minio_data
export AUTH_KEY_FILE=secrets/rclone_auth_key
export GOMEMLIMIT=96MiB

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/minio_data)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/s3.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/s3 STACK_FOLDER="$(pwd -P)"
python end_orphans.py

exec python s3/start_rclone.py
