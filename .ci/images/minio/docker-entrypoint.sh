#!/bin/sh
# As upstream's: a command that starts with an option or a subcommand belongs to minio.
if [ "${1}" != "minio" ] && [ -n "${1}" ]; then
  set -- minio "$@"
fi
exec "$@"
