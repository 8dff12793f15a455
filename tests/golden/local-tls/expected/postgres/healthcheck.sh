#!/bin/sh
# The service is healthy when it answers; services that depend on it wait for that.
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
exec pg_isready -t 2 -h 127.0.0.1 -p 5432 -U mlflow -d mlflow
