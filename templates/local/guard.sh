#!/bin/sh
# Start supervisord again after it was killed.
# Run by supervisord, which holds the other end of this script's standard input until it ends. When
# it ends on request, it ends this script first.
cd "$(dirname "$0")"
while read -r _; do
    :
done

# If a command starts the stack in the meantime, the second supervisord finds the socket in use and
# exits. The output of this script went to the killed supervisord.
exec </dev/null >/dev/null 2>>logs/supervisord.log
for pause in 1 5 30 300; do
    # The processes that were left behind are ended by the scripts of their services.
    if [ -n "${STACK_PYTHON:-}" ]; then
        "$STACK_PYTHON" -m supervisor.supervisord -c supervisord.conf && exit
    else
        supervisord -c supervisord.conf && exit
    fi
    sleep "$pause"
done
exit 1
