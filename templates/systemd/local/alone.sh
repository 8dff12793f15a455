#!/bin/sh
# Fails if supervisord runs this stack: its servers and those of the units would use the same data.
# Each unit runs this before its service, in the folder local/.
set -eu
[ -s run/supervisord.pid ] || exit 0
# A file that is older than the last start of the machine is left over, and its number another's.
read -r uptime _ </proc/uptime
[ -n "$(find run/supervisord.pid -mmin "-$((${uptime%%.*} / 60 + 1))")" ] || exit 0
read -r pid <run/supervisord.pid
if grep -qs supervisord "/proc/$pid/cmdline"; then
    echo "supervisord (process $pid) runs this stack: mlflow-compose down stops it" >&2
    exit 1
fi
