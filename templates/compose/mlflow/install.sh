#!/bin/sh
# Installs requirements.txt into /opt/mlflow, except for what no server uses; the arguments are
# options of `uv pip install`.
set -eu

. /install/uv.sh
python -m venv --without-pip /opt/mlflow
UV_LINK_MODE=copy /install/uv/bin/uv pip install --python /opt/mlflow/bin/python \
    "$@" --requirement /install/requirements.txt

packages="$(echo /opt/mlflow/lib/python3*/site-packages)"
# Tests of the packages, a seventh of everything. MLflow's belong to skills that it hands out.
find "$packages" -path "$packages/mlflow" -prune -o \
    -type d \( -name tests -o -name SelfTest \) -prune -exec rm -r {} +
# Descriptions of AWS services, except those that MLflow has a client for or that log in.
find "$packages" -path "$packages/botocore/data/*" -type d -prune \
    ! -name s3 ! -name ecr ! -name iam ! -name sagemaker ! -name sagemaker-runtime \
    ! -name bedrock ! -name bedrock-runtime ! -name sts ! -name sso ! -name sso-oidc ! -name signin \
    -exec rm -r {} +
# Type stubs, Cython sources, C headers and libraries: read by editors and compilers.
find "$packages" -type f \
    \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -delete
# Only what is left. A file that does not compile is for another Python and never imported.
python -m compileall -q -j 0 "$packages" || test -d "$packages/mlflow/__pycache__"
