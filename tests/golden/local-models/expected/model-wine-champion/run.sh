#!/bin/sh
# Serves the model wine@champion.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/model-wine-champion.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin/python ]; then
    echo "the packages that model-wine-champion needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export PYTHONSAFEPATH=1
export UV=uv
export MLFLOW_TRACKING_URI=http://127.0.0.1:5000
export MLFLOW_DISABLE_TELEMETRY=true
export MODEL_NAME=wine
export MODEL_ALIAS=champion
export SERVICE_NAME=model-wine-champion
export SERVING_FOLDER=data/served_models
export SERVING_HOST=127.0.0.1
export SERVING_PORT=5100
export SECRETS_DIR=secrets
export NO_PROXY=localhost,127.0.0.1,mlflow,postgres,s3
export no_proxy=localhost,127.0.0.1,mlflow,postgres,s3

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/served_models)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/model-wine-champion.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/model-wine-champion STACK_FOLDER="$(pwd -P)"
python end_orphans.py

# Wait until mlflow is healthy.
until sh mlflow/healthcheck.sh >/dev/null 2>&1; do
    sleep 0.2
done

exec python model-server/serve_model.py
