#!/bin/sh
# JupyterLab: notebooks that log to MLflow.
# Run by supervisord; paths are relative to the parent folder.
set -eu
cd "$(dirname "$0")/.."

# One byte per start, which `status` counts. A full disk must not keep the service from starting.
printf . >>run/jupyter.starts || :

# Otherwise, other versions of these programs in PATH would run.
if ! [ -x /home/student/.cache/mlflow-compose/jupyter-3.17.2-3c56fc6c/bin/python ]; then
    echo "the packages that jupyter needs are not installed: mlflow-compose up installs them" >&2
    exit 1
fi
PATH=/home/student/.cache/mlflow-compose/jupyter-3.17.2-3c56fc6c/bin:/home/student/.cache/mlflow-compose/jupyter-3.17.2-3c56fc6c/postgresql/bin:"$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
export SECRETS_DIR=secrets
export NOTEBOOKS=../notebooks
export JUPYTER_HOME=data/jupyter_home
export JUPYTER_ADDRESS=127.0.0.1
export JUPYTER_PORT=28888
export JUPYTER_BEHIND_PROXY=true
export MLFLOW_TRACKING_URI=http://127.0.0.1:25000
export MLFLOW_LINKS_URL=https://192.0.2.10:5000
export MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL=https://192.0.2.10:5000
export AWS_SHARED_CREDENTIALS_FILE=secrets/s3_app_key
export AWS_DEFAULT_REGION=us-east-1
export MLFLOW_S3_ENDPOINT_URL=http://127.0.0.1:9000
export AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000

# Data folders, which other users cannot read.
(umask 077 && mkdir -p data/jupyter_home)

# `mlflow-compose up` restarts the service if one of its files is newer than this mark.
touch run/jupyter.started

# Processes that a killed server left behind would still hold the port and the files.
export STACK_SERVICE=0123456789abcdef/jupyter STACK_FOLDER="$(pwd -P)"
python end_orphans.py

exec python jupyter/start_jupyter.py
