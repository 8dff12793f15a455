#!/bin/sh
# Creates the bucket, then exits.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/bucket-init.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that bucket-init needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export S3_ENDPOINT=http://127.0.0.1:9000
export S3_BUCKET=mlflow
export APP_KEY_FILE=secrets/s3_app_key
export AWS_DEFAULT_REGION=us-east-1
export NO_PROXY=localhost,127.0.0.1,jupyter,mlflow,postgres,s3
export no_proxy=localhost,127.0.0.1,jupyter,mlflow,postgres,s3

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/bucket-init.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/bucket-init STACK_FOLDER="$(pwd -P)"
python end_orphans.py

# Wait until s3 is healthy.
until sh s3/healthcheck.sh >/dev/null 2>&1; do
    sleep 0.2
done

python bucket-init/bucket_init.py
touch run/bucket-init.done
