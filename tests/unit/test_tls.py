"""The proxy publishes what clients use, and clients learn how to verify it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mlflow_compose.checks.causes import causes
from mlflow_compose.clients import CertificateError, Tracking, Unreachable, trusted
from mlflow_compose.connect import client_environment
from mlflow_compose.engines import check_ports, other_ports
from mlflow_compose.errors import PortTakenError, SettingsError
from mlflow_compose.render import render
from mlflow_compose.stack import Service, Stack, host_on_lan, services, wanted_names
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.seat_stack import seat_stack
from mlflow_compose.stack.tls import host_here
from mlflow_compose.tls import Certificate
from tests.e2e.certificates import make_certificates
from tests.unit import samples
from tests.unit.fakes import FakeEngine
from tests.unit.samples import ANY_ADDRESS, CERTIFICATE, loaded, local_stack, settings, stack

INTERNAL = {"STACK_TLS": "internal"}
OPEN = {**INTERNAL, "STACK_BIND_ADDRESS": ANY_ADDRESS, "MLFLOW_AUTH": "basic"}
ALL = {**OPEN, "JUPYTER": "true", "PGADMIN": "true"}
LAN = ("classroom", "classroom.local", "192.0.2.10")


def ports(found: Stack) -> dict[str, list[str]]:
    return {one.name: [port.text for port in one.ports] for one in found.services if one.ports}


def option(found: Stack, name: str, service: str = "mlflow") -> list[str]:
    (value,) = (
        part.removeprefix(f"{name}=")
        for part in found.service(service).command
        if part.startswith(f"{name}=")
    )
    return value.split(",")


# --- what is published


def test_without_tls_there_must_be_no_proxy() -> None:
    for found in (stack(), local_stack()):
        assert not found.has("proxy")
        assert (found.routes, found.tls_ca, found.certificate) == ((), "", None)
        assert found.urls["mlflow"] == "http://127.0.0.1:5000"


def test_only_the_proxy_must_publish_what_clients_use() -> None:
    found = stack(**ALL)
    assert ports(found) == {
        "s3": ["127.0.0.1:9000:9000", "127.0.0.1:9001:9001"],
        "proxy": ["0.0.0.0:5000:8443", "0.0.0.0:8888:8444", "0.0.0.0:5050:8445"],
    }
    assert [route.upstream for route in found.routes] == [
        *("mlflow:5000", "jupyter:8888", "pgadmin:5050"),
    ]
    assert found.services[-1].name == "proxy"
    assert [one.inner_ports for one in found.services if one.inner_ports] == []


def test_without_docker_servers_must_listen_on_loopback_behind_the_proxy() -> None:
    found = local_stack(**ALL, STACK_TLS_OFFSET="20000")
    published = ports(found)
    assert published["proxy"] == [
        *("0.0.0.0:5000:5000", "0.0.0.0:8888:8888", "0.0.0.0:5050:5050"),
    ]
    assert {"mlflow", "jupyter", "pgadmin"}.isdisjoint(published)
    assert [route.upstream for route in found.routes] == [
        *("127.0.0.1:25000", "127.0.0.1:28888", "127.0.0.1:25050"),
    ]
    mlflow, jupyter, pgadmin = map(found.service, ("mlflow", "jupyter", "pgadmin"))
    assert (option(found, "--host"), option(found, "--port")) == (["127.0.0.1"], ["25000"])
    assert (mlflow.inner_ports, jupyter.inner_ports) == ((25000,), (28888,))
    assert jupyter.environment["JUPYTER_ADDRESS"] == "127.0.0.1"
    assert jupyter.environment["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:25000"
    assert (pgadmin.environment["PGADMIN_ADDRESS"], pgadmin.environment["PGADMIN_PORT"]) == (
        *("127.0.0.1", "25050"),
    )


@pytest.mark.parametrize(
    ("address", "bind"),
    [
        ("127.0.0.1", "tcp4/127.0.0.1"),
        (ANY_ADDRESS, "tcp4/0.0.0.0"),
        ("192.0.2.10", "tcp4/192.0.2.10"),
        ("::1", "[::1]"),
    ],
)
def test_without_docker_the_proxy_must_only_listen_on_the_chosen_address(
    address: str, bind: str
) -> None:
    found = local_stack(**{**OPEN, "STACK_BIND_ADDRESS": address})
    assert f"\tbind {bind}\n" in render(found).files["proxy/Caddyfile"].text


@pytest.mark.parametrize("make", [stack, local_stack])
def test_the_proxy_must_be_rendered_with_its_secrets(make: Any) -> None:  # noqa: ANN401
    rendered = render(make(**ALL))
    text = rendered.files["proxy/Caddyfile"].text
    assert rendered.files["proxy/ca.crt"].text == CERTIFICATE.ca
    assert rendered.secrets["tls_key.pem"].text == CERTIFICATE.key
    assert all("PRIVATE KEY" not in file.text for file in rendered.files.values())
    assert text.count("import service") == text.count("tls_key.pem") == 3
    for line in ("admin off", "auto_https off", "persist_config off", "network_proxy none"):
        assert f"\t{line}\n" in text


@pytest.mark.parametrize("make", [stack, local_stack])
def test_a_certificate_that_clients_trust_already_needs_no_ca(
    make: Any,  # noqa: ANN401 - a function
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public = replace(CERTIFICATE, ca="", is_own=False)
    monkeypatch.setattr(samples, "CERTIFICATE", public)
    found: Stack = make(lan_names=LAN, **OPEN)
    assert (found.tls_ca, trusted(found)) == ("", True)
    assert "proxy/ca.crt" not in render(found).files
    for place, host in (("host", ""), ("lan", "192.0.2.10")):
        environment = client_environment(found, place, host, {})
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" not in environment.values(secrets=True)
        assert environment.notes == ()


def test_before_the_first_start_there_is_no_ca_to_verify_with(tmp_path: Path) -> None:
    assert trusted(replace(stack(**INTERNAL), tls_ca=str(tmp_path / "missing"))) is True


SEATS = {"seat-ada": 8101, "seat-ben": 8102}


def seat(around: Surroundings, name: str) -> Service:
    target = 5000 if around.site.in_containers else SEATS[name] + around.site.offset
    port = PublishedPort(
        name, "SEAT_PORT", ANY_ADDRESS, SEATS[name], target, name, "http", is_proxied=True
    )
    return Service(name=name, about="A seat.", image=around.image, restart="always", ports=(port,))


@pytest.mark.parametrize(
    ("make", "upstreams"),
    [
        (stack, ["mlflow:5000", "seat-ada:5000", "seat-ben:5000"]),
        (local_stack, ["127.0.0.1:15000", "127.0.0.1:18101", "127.0.0.1:18102"]),
    ],
)
def test_several_services_of_one_kind_must_be_behind_the_proxy(
    make: Any,  # noqa: ANN401 - a function
    upstreams: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = Kind(lambda _: tuple(SEATS), seat, seat)
    *others, proxy = services.KINDS
    monkeypatch.setattr(services, "KINDS", (*others, kind, proxy))
    found: Stack = make(**OPEN)
    assert [route.upstream for route in found.routes] == upstreams
    assert len({route.port.target for route in found.routes}) == 3
    assert {found.urls[name] for name in SEATS} == {
        *("https://127.0.0.1:8101", "https://127.0.0.1:8102"),
    }


CLASS = {
    "CLASS_MODE": "seats",
    "CLASS_SEATS": "ada=5201 ben=5202",
    "CLASS_SECRET": "a-secret-of-the-class-in-the-sample",
}


@pytest.mark.parametrize(
    ("make", "upstreams"),
    [
        (stack, ["mlflow:5000", "seat-ada:5000", "seat-ben:5000"]),
        (local_stack, ["127.0.0.1:15000", "127.0.0.1:15201", "127.0.0.1:15202"]),
    ],
)
def test_the_seats_of_a_class_must_be_behind_the_proxy(
    make: Any,  # noqa: ANN401 - a function
    upstreams: list[str],
) -> None:
    found: Stack = make(lan_names=LAN, **OPEN, **CLASS)
    assert [route.upstream for route in found.routes] == upstreams
    assert found.urls["seat-ada"] == "https://127.0.0.1:5201"
    assert "https://classroom:5201" in option(found, "--cors-allowed-origins", "seat-ada")
    assert "https://classroom:5000" in option(found, "--cors-allowed-origins")
    # Commands for one seat take its stack for a whole one.
    chosen = loaded(**OPEN, **CLASS).settings
    own = seat_stack(found, chosen, chosen.seats[1])
    assert own.urls["mlflow"] == "https://127.0.0.1:5202"
    assert client_environment(own, "lan", "192.0.2.10", {}).values(secrets=False)[
        "MLFLOW_TRACKING_URI"
    ] == ("https://192.0.2.10:5202")


@pytest.mark.parametrize(
    ("make", "upstreams"),
    [
        (stack, {"/ada": "seat-ada:5000", "/ben": "seat-ben:5000"}),
        (local_stack, {"/ada": "127.0.0.1:15201", "/ben": "127.0.0.1:15202"}),
    ],
)
def test_seats_must_share_one_port_with_a_path_for_each(
    make: Any,  # noqa: ANN401 - a function
    upstreams: dict[str, str],
) -> None:
    given = {**OPEN, **CLASS, "CLASS_TLS_PORT": "8443"}
    found: Stack = make(lan_names=LAN, **given)
    first, shared = found.listeners
    assert (first.is_shared, shared.is_shared) == (False, True)
    assert {route.port.path: route.upstream for route in shared.routes} == upstreams
    assert [(port.published, port.label) for port in found.service("proxy").ports] == [
        *((5000, "MLflow"), (8443, "Seats")),
    ]
    # A browser's origin has the port that it uses.
    assert "https://classroom:8443" in option(found, "--cors-allowed-origins", "seat-ada")
    assert "https://classroom:5201" not in option(found, "--cors-allowed-origins", "seat-ada")
    chosen = loaded(**given).settings
    own = seat_stack(found, chosen, chosen.seats[1])
    assert own.urls["mlflow"] == "https://127.0.0.1:8443/ben"
    assert client_environment(own, "lan", "192.0.2.10", {}).values(secrets=False)[
        "MLFLOW_TRACKING_URI"
    ] == ("https://192.0.2.10:8443/ben")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"CLASS_TLS_PORT": "5000"}, "must differ from MLFLOW_PORT, got 5000 for both"),
        ({"CLASS_TLS_PORT": "5202"}, "must give ben another port than CLASS_TLS_PORT, got 5202"),
        ({"CLASS_TLS_PORT": "5200"}, "must differ from CLASS_PORT, got 5200 for both"),
        ({"CLASS_TLS_PORT": "0"}, "must be a whole number between 1 and 65535, or empty, got 0"),
        (
            {"CLASS_TLS_PORT": "8443", "STACK_TLS": "off"},
            "requires STACK_TLS=internal or files, got 8443",
        ),
        (
            {"CLASS_TLS_PORT": "15201", "STACK_ENGINE": "local"},
            "must not lead to port 15201 of CLASS_TLS_PORT",
        ),
    ],
)
def test_the_port_of_all_seats_must_be_free_for_them(given: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(**{**OPEN, **CLASS, **given})
    assert expected in str(caught.value)


def test_the_port_of_a_seat_behind_the_proxy_must_be_its_own() -> None:
    with pytest.raises(SettingsError, match="must not lead to port 5202 of seat ben"):
        settings(**OPEN, **CLASS, STACK_TLS_OFFSET="1", STACK_ENGINE="local")


# --- names


def test_mlflow_must_accept_pages_with_https_only() -> None:
    found = stack(lan_names=LAN, **OPEN)
    assert option(found, "--cors-allowed-origins") == [f"https://{name}:5000" for name in LAN]
    on_443 = stack(lan_names=LAN, **OPEN, MLFLOW_PORT="443")
    assert option(on_443, "--cors-allowed-origins") == [f"https://{name}" for name in LAN]


def test_the_certificate_must_have_every_name_that_clients_use() -> None:
    hosts = "mlflow.example.org:8443, lab, *.wild, 10.0.0.5, bad name, [::2]:5000"
    names = wanted_names(settings(**OPEN, MLFLOW_ALLOWED_HOSTS=hosts), LAN)
    assert names == (
        *("localhost", "127.0.0.1", "[::1]", *LAN),
        *("mlflow.example.org", "lab", "10.0.0.5"),
    )


USERS = Certificate("", "", ("lab.example", "*.class.example", "198.51.100.7"))


@pytest.mark.parametrize(
    ("names", "allowed", "here", "lan"),
    [
        (("lab.example", "*.x.example"), "", "lab.example", "lab.example"),
        (("lab.example", "192.0.2.10"), "", "192.0.2.10", "192.0.2.10"),
        (("localhost", "classroom"), "", "localhost", "classroom"),
        (("*.class.example",), "a.class.example", "a.class.example", "a.class.example"),
        (("*.class.example",), "", "127.0.0.1", "192.0.2.10"),
    ],
)
def test_urls_must_have_a_name_that_the_certificate_is_valid_for(
    names: tuple[str, ...], allowed: str, here: str, lan: str
) -> None:
    found = Certificate("", "", names)
    chosen = settings(**OPEN, MLFLOW_ALLOWED_HOSTS=allowed)
    assert host_here(found, chosen, LAN) == here
    assert host_on_lan(found, chosen, LAN, "192.0.2.10") == lan


def test_the_names_of_the_users_certificate_must_be_accepted_by_mlflow() -> None:
    from mlflow_compose.stack.origins import allowed_hosts, origin_options

    chosen = settings(**OPEN)
    hosts = allowed_hosts(chosen, LAN, USERS)
    assert {"lab.example", "lab.example:*", "198.51.100.7"} <= {*hosts}
    origins = origin_options(chosen, LAN, USERS)["--cors-allowed-origins"]
    assert "https://lab.example:5000" in origins
    assert "*" not in origins


# --- settings


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"STACK_TLS": "on"}, "STACK_TLS  must be off, internal or files"),
        ({"STACK_TLS": "files"}, "STACK_TLS_CERT  must be a PEM file"),
        ({"STACK_TLS": "files", "STACK_TLS_CERT": "a.pem"}, "STACK_TLS_KEY  must be a PEM file"),
        (
            {**INTERNAL, "MLFLOW_ARTIFACT_ACCESS": "direct"},
            "MLFLOW_ARTIFACT_ACCESS  must be proxied when STACK_TLS is internal",
        ),
        ({**INTERNAL, "STACK_TLS_OFFSET": "65000"}, "must lead to ports up to 65535, got 65000"),
        ({**INTERNAL, "STACK_TLS_OFFSET": "4000"}, "must not lead to port 9000 of MINIO_PORT"),
        ({**INTERNAL, "STACK_TLS_OFFSET": "0"}, "must be a whole number between 1"),
        ({"STACK_TLS_KEYS": "x"}, "did you mean STACK_TLS_KEY"),
    ],
)
def test_wrong_settings_must_be_explained(values: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(**values)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        # Direct access to a server elsewhere, which has TLS of its own.
        {**INTERNAL, "MLFLOW_ARTIFACT_ACCESS": "direct", "MINIO_HOST": "aws"},
        {**INTERNAL, "STACK_TLS_OFFSET": "4000", "STACK_ENGINE": "docker"},
        {"STACK_TLS_OFFSET": "4000"},
        {"STACK_TLS_CERT": "missing.pem"},
    ],
)
def test_settings_without_effect_must_be_accepted(values: dict[str, str]) -> None:
    settings(**values)


def test_a_taken_inner_port_must_be_reported_with_its_setting() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        inner = taken.getsockname()[1]
        found = local_stack(**INTERNAL, MLFLOW_PORT=str(inner - 300), STACK_TLS_OFFSET="300")
        others = frozenset(port.published for _, port in found.ports)
        with pytest.raises(PortTakenError, match=f"port {inner} is already in use") as caught:
            check_ports(FakeEngine(found, held=others))
        assert "STACK_TLS_OFFSET" in str(caught.value.hint)
        check_ports(FakeEngine(found, held=others | {inner}))
    assert "STACK_TLS_OFFSET" not in other_ports(found)


def test_the_proxy_must_not_send_the_login_of_a_seat_to_another_program() -> None:
    """Whoever has the port of one seat behind the proxy would get the passwords of its people."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        inner = taken.getsockname()[1]
        seats = f"ada={inner - 300} ben={inner - 302}"
        found = local_stack(**{**OPEN, **CLASS, "CLASS_SEATS": seats, "STACK_TLS_OFFSET": "300"})
        others = frozenset(port.published for _, port in found.ports)
        with pytest.raises(PortTakenError, match=f"{inner} .* so seat-ada cannot use it behind"):
            check_ports(FakeEngine(found, held=others))


# --- clients


def test_env_must_say_how_to_verify_the_server(tmp_path: Path) -> None:
    found = replace(stack(lan_names=LAN, **OPEN), tls_ca=str(tmp_path / "ca.crt"))
    here = client_environment(found, "host", "", {})
    assert here.values(secrets=False) == {
        "MLFLOW_TRACKING_URI": "https://127.0.0.1:5000",
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(tmp_path / "ca.crt"),
    }
    lan = client_environment(found, "lan", "192.0.2.10", {})
    assert lan.values(secrets=False)["MLFLOW_TRACKING_URI"] == "https://192.0.2.10:5000"
    assert any(str(tmp_path / "ca.crt") in note for note in lan.notes)
    inside = client_environment(found, "container", "", {})
    assert inside.values(secrets=False)["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"


@contextmanager
def server(status: int, name: str, pem: Path | None = None) -> Iterator[str]:
    """Run a server that always gives one answer; yield its URL."""
    import ssl

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = name, ""

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def version_string(self) -> str:
            return name

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    class Quiet(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """Stay silent: clients hang up that do not trust the certificate."""

    with Quiet(("127.0.0.1", 0), Handler) as running:
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"{'https' if pem else 'http'}://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def test_a_proxy_without_its_server_must_not_seem_to_be_another_stack() -> None:
    with server(502, "Caddy") as url, pytest.raises(Unreachable, match="does not reach MLflow"):
        Tracking(url).stack()
    with server(502, "nginx") as url:
        assert Tracking(url).stack() == ("", "")


def test_a_refused_certificate_must_be_told_from_a_foreign_server(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "127.0.0.1")
    with server(200, "Caddy", made.server) as url:
        assert Tracking(url, verify=str(made.authority)).stack() == ("", "")
        with pytest.raises(CertificateError, match="unable to get local issuer"):
            Tracking(url).stack()
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other", "lab.example")
    with (
        server(200, "Caddy", other.server) as url,
        pytest.raises(CertificateError, match="not valid for"),
    ):
        Tracking(url, verify=str(other.authority)).stack()


def test_every_cause_of_the_proxy_must_have_a_next_step() -> None:
    found = causes(stack(**INTERNAL))
    assert {"proxy_down", "certificate_refused"} <= {*found}
