#!/bin/sh
# The tracking server: web UI, REST API and artifact proxy.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/mlflow.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that mlflow needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export PYTHONPATH=mlflow/plugins
export PYTHONSAFEPATH=1
export SECRETS_DIR=secrets
export TMPDIR=data/mlflow_tmp
export PGSERVICEFILE=secrets/pg_service.conf
export AWS_SHARED_CREDENTIALS_FILE=secrets/s3_app_key
export AWS_DEFAULT_REGION=us-east-1
export BUNDLED_S3=true
export MLFLOW_S3_ENDPOINT_URL=http://127.0.0.1:9100
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
export MLFLOW_DISABLE_TELEMETRY=true
export MLFLOW_ENABLE_WORKSPACES=true
export MALLOC_ARENA_MAX=2
export MALLOC_MMAP_THRESHOLD_=4194304
export MALLOC_TRIM_THRESHOLD_=1048576
export WORKER_MEMORY=1024
export MLFLOW_MODEL_CATALOG_URI=''
export MLFLOW_WEBHOOK_CACHE_TTL=0
export MLFLOW_GATEWAY_BUDGET_REFRESH_INTERVAL=0
export NO_PROXY=localhost,127.0.0.1,mlflow,postgres,s3
export no_proxy=localhost,127.0.0.1,mlflow,postgres,s3
export MLFLOW_AUTH_CONFIG_PATH=secrets/basic_auth.ini
export MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX='^(mlflow-artifacts:|models:|runs:|dummy-source$|prompt-template$)'
export OWN_LOCATIONS_ONLY=true

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/mlflow_tmp)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/mlflow.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/mlflow STACK_FOLDER="$(pwd -P)"
python end_orphans.py

# Wait until postgres is healthy.
until sh postgres/healthcheck.sh >/dev/null 2>&1; do
    sleep 0.2
done

# Wait until bucket-init has succeeded since supervisord was started.
until [ run/bucket-init.done -nt run/supervisord.pid ]; do
    sleep 0.2
done

exec sh mlflow/entrypoint.sh python -m mlflow server --host=0.0.0.0 --port=5001 --workers=2 '--backend-store-uri=postgresql+psycopg2:///?service=mlflow' --artifacts-destination=s3://mlflow '--allowed-hosts=mlflow,mlflow:*,localhost,localhost:*,127.0.0.1,127.0.0.1:*,[::1],[[]::1]:*,classroom,classroom:*,classroom.local,classroom.local:*,192.0.2.10,192.0.2.10:*,198.51.100.7,198.51.100.7:*' --cors-allowed-origins=http://classroom:5001,http://classroom.local:5001,http://192.0.2.10:5001,http://198.51.100.7:5001 '--uvicorn-opts=--loop uvloop --http httptools --no-access-log' --app-name=basic-auth --serve-artifacts
