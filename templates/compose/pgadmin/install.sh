#!/bin/sh
# Installs requirements.txt into /opt/pgadmin, except for what only other uses of pgAdmin need; the
# arguments are options of `uv pip install`.
set -eu

. /install/uv.sh
python -m venv --without-pip /opt/pgadmin
# The constraints pin, with hashes, what builds the two packages that have no wheels.
UV_LINK_MODE=copy /install/uv/bin/uv pip install --python /opt/pgadmin/bin/python "$@" \
    --build-constraints /install/requirements.txt --requirement /install/requirements.txt

packages="$(echo /opt/pgadmin/lib/python3*/site-packages)"
# Descriptions of cloud services, in which pgAdmin could create servers: half of everything.
rm -r "$packages/googleapiclient/discovery_cache/documents"
find "$packages" -path "$packages/botocore/data/*" -type d -prune ! -name rds -exec rm -r {} +
# Pictures that the manual has twice.
manual="$packages/pgadmin4/docs/en_US/_build/html"
for picture in "$manual"/_images/*; do
    rm -f "$manual/_static/${picture##*/}"
done
# Tests, and what only developers and translators read.
find "$packages" -type d -name tests -prune -exec rm -r {} +
find "$packages" -type f \( -name '*.map' -o -name '*.po' -o -name '*.pyi' \) -delete
# Nothing can be compiled when it runs. A file that does not compile is never imported.
python -m compileall -q -j 0 "$packages" || test -d "$packages/pgadmin4/__pycache__"
