#!/bin/sh
# The service is healthy when it answers; services that depend on it wait for that.
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
exec python -S -c 'import socket; s = socket.create_connection(('"'"'127.0.0.1'"'"', 9000), 4); s.sendall(b'"'"'GET / HTTP/1.0\r\n\r\n'"'"'); raise SystemExit(b'"'"'HTTP/'"'"' not in s.recv(64))'
