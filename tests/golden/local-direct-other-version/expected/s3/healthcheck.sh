#!/bin/sh
# The service is healthy when it answers; services that depend on it wait for that.
PATH=/home/student/.cache/mlflow-compose/mlflow-3.16.0-ccb5115c/bin:/home/student/.cache/mlflow-compose/mlflow-3.16.0-ccb5115c/postgresql/bin:"$PATH"
exec python -S -c 'import socket; s = socket.create_connection(('"'"'192.0.2.10'"'"', 9000), 4); s.sendall(b'"'"'GET / HTTP/1.0\r\n\r\n'"'"'); raise SystemExit(b'"'"'HTTP/'"'"' not in s.recv(64))'
