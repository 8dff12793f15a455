"""The configuration of Terraform: what it creates, what it keeps out, and what it refuses.

All files are parsed. With the program `terraform`, variables and the server's first start are also
evaluated, in a configuration without AWS.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from mlflow_compose.cli.run import run
from mlflow_compose.errors import UsageError
from mlflow_compose.paths import templates
from mlflow_compose.render import render, write
from mlflow_compose.settings.envfile import edit, parse
from mlflow_compose.settings.load import resolve
from mlflow_compose.targets import TERRAFORM
from mlflow_compose.targets.terraform import MASTER, ON_THE_SERVER
from tests.unit.samples import ANY_ADDRESS, ROOT, SECRETS, built, env_text, settings

FILES = templates() / "terraform"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = f"git+https://git.lab/tool@{COMMIT}"
WHEEL = f"https://wheels.lab/tool.whl#sha256={COMMIT}{COMMIT[:24]}"
WITH_TLS = {"STACK_TLS": "internal", "MLFLOW_AUTH": "basic"}
PARSED = hcl2.SerializationOptions(
    with_comments=False, explicit_blocks=False, strip_string_quotes=True
)
# Networks that are the whole Internet.
EVERYWHERE = {ANY_ADDRESS + "/0", "::/0"}
# Where the connections that a rule allows come from.
SOURCES = {"cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"}
Block = Mapping[str, Any]


def read(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        return hcl2.load(file, serialization_options=PARSED)


def blocks(kind: str) -> Iterator[tuple[str, str, Block]]:
    """Yield every block of a kind with two labels: resource or data."""
    for path in sorted(FILES.glob("*.tf")):
        for found in read(path).get(kind, []):
            for label, named in found.items():
                for name, body in named.items():
                    yield label, name, body


def resources(label: str) -> dict[str, Block]:
    return {name: body for found, name, body in blocks("resource") if found == label}


def resource(label: str) -> Block:
    (body,) = resources(label).values()
    return body


def variables() -> dict[str, Block]:
    return {
        name: body
        for found in read(FILES / "variables.tf")["variable"]
        for name, body in found.items()
    }


def rendered(folder: Path, **values: str) -> Path:
    write(render(built(settings(**values), TERRAFORM)), folder / "terraform")
    return folder / "terraform"


def test_nothing_must_connect_from_everywhere() -> None:
    rules = resources("aws_vpc_security_group_ingress_rule")
    sources = {name: rule.keys() & SOURCES for name, rule in rules.items()}
    assert sources == {"mlflow": {"cidr_ipv4"}, "database": {"referenced_security_group_id"}}
    assert rules["mlflow"]["cidr_ipv4"] == "${each.value}"
    assert rules["mlflow"]["for_each"] == "${toset(var.allowed_cidrs)}"
    assert variables()["allowed_cidrs"]["default"] == []
    source = rules["database"]["referenced_security_group_id"]
    assert source == "${aws_security_group.server.id}"


def test_groups_must_have_no_other_rules() -> None:
    """Rules in a group itself, or of the older kind, would not be seen above."""
    labels = {label for label, _, _ in blocks("resource")}
    assert not labels & {"aws_security_group_rule", "aws_network_acl", "aws_network_acl_rule"}
    groups = {**resources("aws_security_group"), **resources("aws_default_security_group")}
    assert groups.keys() == {"server", "database", "closed"}
    assert not any({"ingress", "egress"} & body.keys() for body in groups.values())


def test_only_the_server_must_reach_the_internet() -> None:
    routes = [route for body in resources("aws_route_table").values() for route in body["route"]]
    assert [route["cidr_block"] for route in routes] == [ANY_ADDRESS + "/0"]
    joined = resources("aws_route_table_association").values()
    assert [body["subnet_id"] for body in joined] == ["${aws_subnet.server.id}"]
    egress = resources("aws_vpc_security_group_egress_rule")
    open_rules = {name for name, rule in egress.items() if rule.get("cidr_ipv4") in EVERYWHERE}
    assert open_rules == {"internet"}
    assert egress["internet"]["for_each"] == {"https": "${local.https}", "http": "${local.http}"}


def test_the_database_must_be_private_encrypted_and_kept() -> None:
    database = resource("aws_db_instance")
    assert database["publicly_accessible"] is False
    assert database["storage_encrypted"] is True
    assert database["skip_final_snapshot"] is False
    assert database["delete_automated_backups"] is False
    assert variables()["deletion_protection"]["default"] is True
    assert variables()["backup_days"]["default"] == 14
    (forced,) = resource("aws_db_parameter_group")["parameter"]
    assert forced == {"name": "rds.force_ssl", "value": "1"}


def test_the_bucket_must_be_private_versioned_and_kept() -> None:
    assert "force_destroy" not in resource("aws_s3_bucket")
    block = resource("aws_s3_bucket_public_access_block")
    assert {value for name, value in block.items() if name != "bucket"} == {True}
    (versioning,) = resource("aws_s3_bucket_versioning")["versioning_configuration"]
    assert versioning == {"status": "Enabled"}
    rules = resource("aws_s3_bucket_lifecycle_configuration")["rule"]
    assert {rule["id"] for rule in rules if rule["status"] == "Enabled"} == {
        "incomplete-uploads",
        "old-versions",
    }


def test_the_server_must_have_no_key_and_give_its_role_only_with_a_token() -> None:
    server = resource("aws_instance")
    assert "key_name" not in server
    assert server["metadata_options"] == [
        {"http_tokens": "required", "http_put_response_hop_limit": 2}
    ]
    assert server["root_block_device"][0]["encrypted"] is True


def test_the_role_must_name_every_action_and_resource() -> None:
    documents = {name: body for label, name, body in blocks("data") if "policy" in label}
    for statement in documents["server"]["statement"]:
        assert not any("*" in action for action in statement["actions"])
        assert ("*" in statement["resources"]) is (statement["sid"] == "Sessions")


def test_the_role_must_have_no_other_policy_and_read_no_parameter() -> None:
    """Containers have it too, and other parameters of the account are none of theirs."""
    labels = {label for label, _, _ in blocks("resource") if label.startswith("aws_iam_role")}
    assert labels == {"aws_iam_role", "aws_iam_role_policy"}
    assert not {"managed_policy_arns", "inline_policy"} & resource("aws_iam_role").keys()
    documents = {name: body for label, name, body in blocks("data") if "policy" in label}
    actions = {action for each in documents["server"]["statement"] for action in each["actions"]}
    assert {action for action in actions if action.startswith(("ssm", "ec2"))} == {
        "ssm:UpdateInstanceInformation",
        *(
            f"ssmmessages:{verb}{kind}Channel"
            for verb in ("Create", "Open")
            for kind in ("Control", "Data")
        ),
    }


def test_no_secret_must_get_into_the_state() -> None:
    assert resource("aws_db_instance")["manage_master_user_password"] is True
    labels = {label for kind in ("resource", "data") for label, _, _ in blocks(kind)}
    # The value of a secret, and generated passwords, would be stored.
    assert not labels & {
        "aws_secretsmanager_secret_version",
        "random_password",
        "aws_iam_access_key",
    }
    assert "password" not in resource("aws_db_instance")


def test_no_secret_must_be_rendered(tmp_path: Path) -> None:
    folder = rendered(tmp_path, **WITH_TLS, PIP_INDEX_URL="https://me:s3cr3t@pypi.lab/simple")
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    assert len(texts) >= 10
    for secret in (*SECRETS.values(), "s3cr3t"):
        assert not any(secret in text for text in texts)


def test_the_values_must_be_those_of_the_variables_without_default(tmp_path: Path) -> None:
    values = read(rendered(tmp_path) / "terraform.tfvars")
    needed = {name for name, body in variables().items() if "default" not in body}
    # Only the user can say where the tool is from.
    assert values.keys() == needed - {"tool"}
    types = {"string": str, "number": int, "bool": bool}
    for name, value in values.items():
        assert type(value) is types[variables()[name]["type"]], name


def test_every_variable_must_say_what_it_is_for() -> None:
    assert all(body["description"].endswith(".") for body in variables().values())


def test_the_values_in_the_guide_must_be_those_of_variables() -> None:
    text = (ROOT / "docs" / "how-to" / "terraform.md").read_text(encoding="utf-8")
    examples = "".join(re.findall(r"```hcl\n(.*?)```", text, re.DOTALL))
    values = hcl2.loads(examples, serialization_options=PARSED)
    assert values.keys() <= variables().keys()
    assert {"tool", "architecture"} <= values.keys()


def test_a_value_must_be_quoted_for_terraform(tmp_path: Path) -> None:
    odd = 'runs"${var.name}%{if}\\'
    folder = rendered(tmp_path, PG_DATABASE=odd)
    line = (folder / "terraform.tfvars").read_text(encoding="utf-8")
    assert r'database   = "runs\"$${var.name}%%{if}\\"' in line


def on_the_server() -> dict[str, str]:
    """Return the settings that Terraform writes into `.env`, with examples of what AWS decides.

    Those of `access.tf` are for an open port.
    """
    (found,) = (each["settings"] for each in read(FILES / "server.tf")["locals"])
    examples = {
        "COMPOSE_PROJECT_NAME": "lab",
        "PG_HOST": "lab.rds.amazonaws.com",
        "PG_PORT": "5432",
        "PG_DATABASE": "mlflow",
        "MLFLOW_BUCKET_NAME": "mlflow-123456789012-eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    assert {name for name, value in found.items() if "${" in value} == examples.keys()
    access = {"MLFLOW_PORT": "5000", "STACK_BIND_ADDRESS": ANY_ADDRESS, **WITH_TLS}
    return {**found, **examples, **access}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"},
        {"PG_PUBLISH": "true", "MLFLOW_ARTIFACT_ACCESS": "direct"},
        {"MINIO_HOST": "s3.lab", "MINIO_STORAGE_USE_HTTPS": "true", "PG_HOST": "db.lab"},
        {"STACK_ENGINE": "local", "MINIO_VOLUME_PATH": "/srv/objects"},
        {"STACK_TLS": "off", "MLFLOW_AUTH": "off", "MLFLOW_PORT": "5001"},
    ],
)
def test_any_env_file_must_be_valid_on_the_server(
    values: Mapping[str, str], tmp_path: Path
) -> None:
    lines = [f"{name}={value}" for name, value in {**WITH_TLS, **values}.items()]
    text = edit(env_text(*lines), on_the_server())
    (tmp_path / "rds-ca.pem").touch()
    found = resolve(parse(text), {}, env_file=tmp_path / ".env").settings
    fixed = {name: getattr(found, name) for name in ON_THE_SERVER}
    assert {**fixed, "pg_host": "", "stack_bind_address": ""} == {
        **ON_THE_SERVER,
        "pg_host": "",
        "stack_bind_address": "",
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PG_USER", {"PG_USER": MASTER}),
        ("JUPYTER", {"JUPYTER": "true"}),
        ("CLASS_MODE", {"CLASS_MODE": "seats", "MLFLOW_AUTH": "basic"}),
    ],
)
def test_what_the_server_cannot_have_must_be_refused(name: str, values: Mapping[str, str]) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot be {values[name]} on the server"):
        built(settings(**values), TERRAFORM)


def test_the_name_of_the_master_must_be_known() -> None:
    assert resource("aws_db_instance")["username"] == MASTER


@pytest.mark.parametrize(
    "values", [{}, {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}, {"MINIO_HOST": "s3.lab"}]
)
def test_every_stack_must_be_rendered(values: Mapping[str, str], tmp_path: Path) -> None:
    """Where it keeps its data now does not matter: on the server, that follows from Terraform."""
    assert read(rendered(tmp_path, **values) / "terraform.tfvars")["database"] == "mlflow"


def test_render_must_print_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text(env_text(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["--json", "render", "--target", "terraform"]) == 0
    text = capsys.readouterr().out
    install = json.loads(text)["data"]["install"]
    assert [re.split(r"\s", command)[0] for command in install] == [
        *("terraform", "terraform", "aws", "terraform"),
    ]
    assert f"file://{tmp_path}/.env" in install[2]
    assert not any(secret in text for secret in SECRETS.values())


# With Terraform itself, in a configuration without providers.

PROGRAM = shutil.which("terraform")
# Folder with the provider of AWS, in the layout of a mirror.
MIRROR = os.environ.get("TERRAFORM_MIRROR", "")
needs_terraform = pytest.mark.skipif(PROGRAM is None, reason="terraform is not installed")


def terraform(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(PROGRAM), f"-chdir={folder}", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """Return the folder of a configuration that only has the variables, and the first start."""
    folder, alone = rendered(tmp_path, **WITH_TLS), tmp_path / "alone"
    shutil.copytree(folder / "server", alone / "server")
    for name in ("variables.tf", "access.tf", "terraform.tfvars"):
        shutil.copy(folder / name, alone)
    (alone / "override.auto.tfvars").write_text(f'tool = "{GIT}"\n', encoding="utf-8")
    (alone / "outputs.tf").write_text(
        """
        output "first_start" {
          value = templatefile("${path.module}/server/cloud-config.yaml.tftpl", {
            tool      = var.tool
            server    = jsonencode({ folder = "/srv/lab", odd = "a \\"b\\" <c> $d\\n" })
            installer = file("${path.module}/server/install_tool.sh")
            program   = file("${path.module}/server/start_stack.py")
            folder    = "/srv/lab"
          })
        }
        output "access" {
          value = local.access
        }
        """,
        encoding="utf-8",
    )
    return alone


@needs_terraform
def test_terraform_must_accept_the_format_of_every_file(tmp_path: Path) -> None:
    done = terraform(rendered(tmp_path), "fmt", "-check", "-diff", "-recursive")
    assert (done.returncode, done.stdout) == (0, "")


@needs_terraform
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", ""),
        ('allowed_cidrs=["10.20.0.0/16", "192.168.0.0/24"]', ""),
        ('allowed_cidrs=["10.0.0.0/8", "172.31.0.0/16", "100.100.0.0/24"]', ""),
        (f'allowed_cidrs=["{ANY_ADDRESS}/0"]', "must be inside 10.0.0.0/8"),
        ('allowed_cidrs=["10.0.0.0/7"]', "must be inside 10.0.0.0/8"),
        ('allowed_cidrs=["172.32.0.0/16"]', "must be inside 10.0.0.0/8"),
        ('allowed_cidrs=["192.168.0.0/15"]', "must be inside 10.0.0.0/8"),
        ('allowed_cidrs=["10.20.0.0/16", "203.0.113.7/32"]', "must be inside 10.0.0.0/8"),
        ('allowed_cidrs=["::/0"]', "must be IPv4 networks"),
        ('allowed_cidrs=["everywhere"]', "must be IPv4 networks"),
        ("name=Team_Blue", "name must start with a letter"),
        ("bucket=a.b", "bucket must have 2 to 31"),
        (f"region={'a' * 40}", "name and bucket are too long"),
        ("database=1st", "database must be a name that RDS accepts"),
        ("vpc_cidr=10.0.0.0/8", "vpc_cidr must be an IPv4 network from /16 to /24"),
        ("architecture=x86_64", "architecture must be amd64 or arm64"),
        ("backup_days=0", "backup_days must be between 1 and 35"),
        ("disk_gb=8", "disk_gb must be at least 20"),
        ("database_gb=10", "database_gb must be at least 20"),
        ("database_max_gb=20", "database_max_gb must be greater than database_gb"),
        ("database_version=9.6", "database_version must be a major version from 14"),
        ("noncurrent_days=0", "noncurrent_days must be at least 1"),
        ("tool=a\nb", "tool must be one line"),
        ("tool=mlflow-compose==0.1.0", "tool must be a URL that always means the same"),
        ("tool=git+https://git.lab/tool@v1", "tool must be a URL that always means the same"),
        ("tool=https://lab/tool.whl", "tool must be a URL that always means the same"),
        (f"tool=--index-url {WHEEL}", "tool must be a URL that always means the same"),
        (f"tool={WHEEL}", ""),
        (f"tool=mlflow-compose @ {GIT}", ""),
        (f"tool=git+ssh://git@git.lab/tool@{COMMIT}", ""),
        (f"tool=git+https://me:t0ken@git.lab/tool@{COMMIT}", "must not contain a password"),
        (f"tool=git+https://t0ken@git.lab/tool@{COMMIT}", "must not contain a password"),
        (f"tool=git+ssh://me:t0ken@git.lab/tool@{COMMIT}", "must not contain a password"),
    ],
)
def test_a_wrong_value_must_be_refused(value: str, rule: str, alone: Path) -> None:
    done = terraform(alone, "plan", "-input=false", *(("-var", value) if value else ()))
    assert (done.returncode == 0) is (not rule)
    assert rule in " ".join(done.stderr.replace("│", " ").split())


@needs_terraform
@pytest.mark.parametrize("missing", ["uses_tls", "uses_login"])
def test_a_port_must_only_be_opened_with_tls_and_a_login(missing: str, alone: Path) -> None:
    opened = ("-var", 'allowed_cidrs=["10.20.0.0/16"]', "-var", f"{missing}=false")
    done = terraform(alone, "plan", "-input=false", *opened)
    assert done.returncode == 1
    assert "requires STACK_TLS=internal and MLFLOW_AUTH=basic" in done.stderr


@needs_terraform
@pytest.mark.parametrize("cidrs", ["[]", '["10.20.0.0/16"]'])
def test_what_is_open_must_not_follow_from_the_env_file(cidrs: str, alone: Path) -> None:
    """It can be changed in Secrets Manager, without the validations of Terraform."""
    opened = {"STACK_BIND_ADDRESS": ANY_ADDRESS, **WITH_TLS}
    closed = {"STACK_BIND_ADDRESS": "127.0.0.1"}
    given = ("-var", f"allowed_cidrs={cidrs}")
    done = terraform(alone, "apply", "-auto-approve", "-input=false", *given)
    assert done.returncode == 0, done.stderr
    found = json.loads(terraform(alone, "output", "-json").stdout)["access"]["value"]
    assert found == {"MLFLOW_PORT": "5000", **(closed if cidrs == "[]" else opened)}
    (local,) = read(FILES / "server.tf")["locals"]
    assert local["server"]["settings"] == "${merge(local.settings, local.access)}"


@needs_terraform
def test_the_server_must_not_choose_where_the_tool_is_from(alone: Path) -> None:
    """A name would be whatever someone registers in a package index, run by root."""
    (alone / "override.auto.tfvars").unlink()
    done = terraform(alone, "plan", "-input=false")
    assert done.returncode == 1
    assert 'The root module input variable "tool" is not set' in done.stderr


@needs_terraform
def test_the_first_start_must_write_the_files_as_they_are(alone: Path) -> None:
    assert terraform(alone, "apply", "-auto-approve", "-input=false").returncode == 0
    text = json.loads(terraform(alone, "output", "-json").stdout)["first_start"]["value"]
    assert text.startswith("#cloud-config\n")
    # EC2's limit.
    assert len(text.encode()) < 16 * 1024
    files = {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}
    for name in ("start_stack.py", "install_tool.sh"):
        program = (FILES / "server" / name).read_text(encoding="utf-8")
        assert files[f"/opt/mlflow-compose/{name}"] == program
    assert files["/etc/mlflow-compose/tool.txt"] == f"{GIT}\n"
    server = json.loads(files["/etc/mlflow-compose/server.json"])
    assert server == {"folder": "/srv/lab", "odd": 'a "b" <c> $d\n'}


@needs_terraform
@pytest.mark.skipif(not MIRROR, reason="TERRAFORM_MIRROR is not set: there is no provider of AWS")
def test_the_provider_must_know_every_resource_and_argument(tmp_path: Path) -> None:
    folder = rendered(tmp_path)
    started = terraform(folder, "init", "-input=false", f"-plugin-dir={MIRROR}")
    assert started.returncode == 0, started.stderr
    done = json.loads(terraform(folder, "validate", "-json").stdout)
    assert (done["valid"], done["diagnostics"]) == (True, [])
