"""How the tracking server of a seat runs: as MLflow's, with settings of its own."""

from collections.abc import Sequence
from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.settings.seats import Seat
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack.components import mlflow, postgres, seats_init
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.probe import http_healthcheck
from mlflow_compose.stack.seats import published_at, seat_settings, seat_site, tmp_volume
from mlflow_compose.stack.service import COMPLETED, HEALTHY, Bind, Service, Volume
from mlflow_compose.stack.site import url_host
from mlflow_compose.stack.stores import stores

# Folder in which seats take turns to start.
TURNS = "seat_turns"
SCRIPT = "take_turn.py"
FOLDER = seats_init.NAME
# Seconds: between health checks, each of which is a process; for which one check waits, so that
# dozens of seats that wait for their turn do not start processes all the time; and for which a
# server may wait for its turn and start.
PAUSE, WAITS, PATIENCE = 29, 29, 1800


def in_container(around: Surroundings, name: str) -> Service:
    """Return the tracking server of a seat."""
    seat, own = _own(around, name)
    server = mlflow.in_container(own, name)
    # The image's own folder for data, which its user may write to.
    found = _server(server, seat, own, own.site.data)
    check = http_healthcheck(own.site.listen, own.site.port, mlflow.HEALTH, waits=WAITS)
    return replace(
        found,
        build=None,
        entrypoint=(
            "python",
            "-S",
            f"/{FOLDER}/{SCRIPT}",
            seats_init.ENTRY_POINT,
        ),
        volumes=(*found.volumes, Bind(f"./{FOLDER}", f"/{FOLDER}", read_only=True)),
        init=True,
        depends_on=around.present({seats_init.NAME: COMPLETED}),
        cpus=around.settings.class_seat_cpus or None,
        healthcheck=_patient(check),
    )


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container.

    It is started again if it needs too much memory; of processors, a Python process only uses one.
    """
    seat, own = _own(around, name)
    server = mlflow.on_machine(own, name)
    found = _server(server, seat, own, f"data/{TURNS}")
    limit = around.settings.class_seat_memory
    return replace(
        found,
        command=("python", "-S", f"{FOLDER}/{SCRIPT}", *server.command),
        # Read by `serve.py`.
        environment={
            **found.environment,
            **({"SERVER_MEMORY": str(mebibytes(limit))} if limit else {}),
        },
        depends_on=around.present({postgres.NAME: HEALTHY, seats_init.NAME: COMPLETED}),
        shared=(*server.shared, f"{FOLDER}/"),
    )


def _server(server: Service, seat: Seat, own: Surroundings, turns: str) -> Service:
    """Return a tracking server with what is particular to a seat."""
    volumes = tuple(
        replace(mount, source=tmp_volume(seat.service))
        if isinstance(mount, Volume) and mount.source == mlflow.TMP_VOLUME
        else mount
        for mount in server.volumes
    )
    (port,) = server.ports
    return replace(
        server,
        about=f"The tracking server of the seat {seat.name}.",
        environment={
            **server.environment,
            "TURNS_FOLDER": turns,
            "TURN_ADDRESS": url_host(own.site.listen).strip("[]"),
            "TURN_PORT": str(own.site.port),
        },
        secrets=tuple(replace(secret, folder=seat.service) for secret in server.secrets),
        volumes=(*volumes, Volume(TURNS, turns, is_scratch=True)),
        ports=(_published(port, seat, own.settings),),
        healthcheck=_patient(server.healthcheck) if server.healthcheck else None,
        is_independent=True,
    )


def _published(port: PublishedPort, seat: Seat, settings: Settings) -> PublishedPort:
    """Return the port of a seat's server, given that of any tracking server."""
    _, path = published_at(settings, seat)
    return replace(
        port,
        name=seat.service,
        variable="CLASS_TLS_PORT" if path else "CLASS_SEATS",
        label=f"Seat {seat.name}",
        path=path,
    )


def _patient(check: Healthcheck) -> Healthcheck:
    """Return a check that is rare, and tolerates that a server waits for its turn."""
    return replace(check, pause=PAUSE, patience=PATIENCE)


def _own(around: Surroundings, name: str) -> tuple[Seat, Surroundings]:
    """Return a seat, and the surroundings of its server."""
    seat = next(seat for seat in around.settings.seats if seat.service == name)
    settings = seat_settings(around.settings, seat)
    site = seat_site(around.site, seat)
    return seat, replace(
        around,
        settings=settings,
        site=site,
        stores=stores(settings, site),
        # In its network it is called by the name of its service.
        lan_names=(*around.lan_names, name) if site.in_containers else around.lan_names,
        # Its secrets are encrypted with its own password.
        identity=replace(around.identity, key=""),
    )


def _names(around: Surroundings) -> Sequence[str]:
    return [seat.service for seat in around.settings.seats]


SEAT = Kind(
    _names,
    in_container,
    on_machine,
    volumes=frozenset({tmp_volume("seat-*"), TURNS}),
    is_leaf=True,
)
