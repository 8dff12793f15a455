"""How the S3 server of a stack without containers is run: rclone, which comes as a wheel."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials, s3
from mlflow_compose.stack.providers.minio import MINIO
from mlflow_compose.stack.providers.rclone import MEMORY
from mlflow_compose.stack.service import (
    Bind,
    Healthcheck,
    PublishedPort,
    Service,
    Volume,
    from_home,
)
from mlflow_compose.stack.site import Site, s3_address, url_host

# Any answer will do: without a signature it is a refusal.
PROBE = (
    "import socket; s = socket.create_connection(({host!r}, {port}), 4); "
    r"s.sendall(b'GET / HTTP/1.0\r\n\r\n'); raise SystemExit(b'HTTP/' not in s.recv(64))"
)


def rclone(settings: Settings, site: Site, image: str, home: str) -> Service:
    """Return rclone as S3 server: plain files in a folder, one key, no console."""
    key = credentials.rclone_auth_key(settings)
    address, port = s3_address(settings), settings.minio_port
    data = _data(settings, home)
    return Service(
        name=s3.NAME,
        about=s3.ABOUT,
        image=image,
        restart="unless-stopped",
        command=("python", "s3/start_rclone.py"),
        environment={
            "S3_ADDRESS": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            "S3_FOLDER": data.target,
            "AUTH_KEY_FILE": site.secret(key),
            **MEMORY,
        },
        secrets=(key,),
        volumes=(data,),
        ports=(PublishedPort(s3.NAME, "MINIO_PORT", address, port, port),),
        healthcheck=Healthcheck(
            test=(
                "CMD",
                "python",
                "-S",
                "-c",
                PROBE.format(host=url_host(address).strip("[]"), port=port),
            )
        ),
    )


def _data(settings: Settings, home: str) -> Volume | Bind:
    folder = settings.minio_volume_path
    if not folder:
        # One name, whatever serves it: here nothing else ever does.
        return Volume(MINIO.volume, f"data/{MINIO.volume}")
    return Bind(from_home(folder, home), from_home(folder, home))
