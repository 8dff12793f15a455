#!/bin/sh
# The service is healthy when it answers; services that depend on it wait for that.
PATH=/home/student/.cache/mlflow-compose/caddy-2.11.7-cc138733/bin:/home/student/.cache/mlflow-compose/caddy-2.11.7-cc138733/postgresql/bin:"$PATH"
exec python -S -c 'import socket, ssl; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE; c.wrap_socket(socket.create_connection(('"'"'192.0.2.10'"'"', 5000), 4)).close()'
