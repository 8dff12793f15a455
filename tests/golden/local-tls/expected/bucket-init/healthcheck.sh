#!/bin/sh
# A one-shot job has no health check; its exit code shows whether it succeeded.
exit 0
