#!/bin/sh
# The tracking server of the seat red-team.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/seat-red-team.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that seat-red-team needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export PYTHONPATH=mlflow/plugins
export PYTHONSAFEPATH=1
export SECRETS_DIR=secrets/seat-red-team
export TMPDIR=data/seat-red-team_tmp
export PGSERVICEFILE=secrets/seat-red-team/pg_service.conf
export AWS_SHARED_CREDENTIALS_FILE=secrets/seat-red-team/s3_app_key
export AWS_DEFAULT_REGION=us-east-1
export BUNDLED_S3=true
export MLFLOW_S3_ENDPOINT_URL=http://127.0.0.1:9000
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
export MLFLOW_DISABLE_TELEMETRY=true
export MALLOC_ARENA_MAX=2
export MALLOC_MMAP_THRESHOLD_=4194304
export MALLOC_TRIM_THRESHOLD_=1048576
export MLFLOW_MODEL_CATALOG_URI=''
export MLFLOW_WEBHOOK_CACHE_TTL=0
export MLFLOW_GATEWAY_BUDGET_REFRESH_INTERVAL=0
export NO_PROXY=localhost,127.0.0.1,mlflow,postgres,s3
export no_proxy=localhost,127.0.0.1,mlflow,postgres,s3
export MLFLOW_AUTH_CONFIG_PATH=secrets/seat-red-team/basic_auth.ini
export MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX='^(mlflow-artifacts:|models:|runs:|dummy-source$|prompt-template$)'
export OWN_LOCATIONS_ONLY=true
export MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW=3
export MLFLOW_SQLALCHEMYSTORE_POOL_SIZE=2
export TURNS_FOLDER=data/seat_turns
export TURN_ADDRESS=127.0.0.1
export TURN_PORT=5202
export SERVER_MEMORY=1024

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/seat-red-team_tmp data/seat_turns)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/seat-red-team.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/seat-red-team STACK_FOLDER="$(pwd -P)"
python end_orphans.py

# Wait until postgres is healthy.
until sh postgres/healthcheck.sh >/dev/null 2>&1; do
    sleep 0.2
done

# Wait until seats-init has succeeded since supervisord was started.
until [ run/seats-init.done -nt run/supervisord.pid ]; do
    sleep 0.2
done

exec python -S seats-init/take_turn.py sh mlflow/entrypoint.sh python -m mlflow server --host=127.0.0.1 --port=5202 --workers=1 '--backend-store-uri=postgresql+psycopg2:///?service=mlflow' --artifacts-destination=s3://mlflow-red-team '--allowed-hosts=mlflow,mlflow:*,localhost,localhost:*,127.0.0.1,127.0.0.1:*,[::1],[[]::1]:*' '--uvicorn-opts=--loop uvloop --http httptools --no-access-log' --app-name=basic-auth --serve-artifacts
