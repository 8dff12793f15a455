#!/bin/sh
# Second step of a backup, in PostgreSQL's image: dump the tables that the first one has chosen, and turn
# the dump into text, whose rows the last one counts. That also proves that the dump can be read.
set -eu
cd "$1"
set --
while IFS= read -r argument; do set -- "$@" "$argument"; done <arguments
pg_dump --file=database.dump "$@"
# Not a pipe, whose status would be that of gzip.
rm -f rows && mkfifo rows
gzip -1 <rows >rows.gz &
trap 'kill "$!" 2>/dev/null || true' EXIT
pg_restore --data-only --file=rows database.dump
wait "$!"
