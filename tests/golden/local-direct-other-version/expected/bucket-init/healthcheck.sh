#!/bin/sh
# A job that ends has no health; whether it did its work is its exit code.
exit 0
