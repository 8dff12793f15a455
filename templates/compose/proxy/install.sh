#!/bin/sh
# Installs requirements.txt, which is Caddy, into /opt/proxy; the arguments are options of
# `uv pip install`.
set -eu

. /install/uv.sh
python -m venv --without-pip /opt/proxy
/install/uv/bin/uv pip install --python /opt/proxy/bin/python "$@" --requirement /install/requirements.txt
