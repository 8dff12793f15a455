#!/bin/sh
# As in upstream's image: arguments that do not start with `minio` are passed to it.
if [ "${1}" != "minio" ] && [ -n "${1}" ]; then
  set -- minio "$@"
fi
exec "$@"
