#!/bin/sh
# Installs requirements.txt and the user's packages into /opt/jupyter; the arguments are options of
# `uv pip install` for the former.
set -eu

. /install/uv.sh
python -m venv --without-pip /opt/jupyter
install_packages() {
    UV_LINK_MODE=copy /install/uv/bin/uv pip install --python /opt/jupyter/bin/python "$@"
}
install_packages "$@" --requirement /install/requirements.txt
packages="$(echo /opt/jupyter/lib/python3*/site-packages)"
# Tests of the packages, which take long to compile.
find "$packages" -type d -name tests -prune -exec rm -r {} +
if [ -s /install/packages.txt ]; then
    install_packages --only-binary :all: --requirement /install/packages.txt || {
        echo "JUPYTER_PACKAGES cannot be installed" >&2
        exit 1
    }
fi
# Nothing can be compiled when it runs. A file that does not compile is never imported.
python -m compileall -q -j 0 "$packages" || test -d "$packages/jupyterlab/__pycache__"
