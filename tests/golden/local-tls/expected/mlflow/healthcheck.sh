#!/bin/sh
# The service is healthy when it answers; services that depend on it wait for that.
PATH=/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/bin:/home/student/.cache/mlflow-compose/mlflow-3.17.2-a68da51c/postgresql/bin:"$PATH"
exec python -S -c 'import socket, time; server = ("127.0.0.1", 25000); any(socket.socket().connect_ex(server) == 0 or time.sleep(0.1) for _ in range(40)); s = socket.create_connection(server, 4); s.sendall(b"GET /health HTTP/1.0\r\n\r\n"); raise SystemExit(b" 200 " not in s.recv(64))'
