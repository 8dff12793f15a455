"""README and docs: quoted output and lists must match the code."""

import inspect
import re
from pathlib import Path

from mlflow_compose import errors, identity
from mlflow_compose.actions import status
from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.lock import LOCK
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.record import RECORD_FILE
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.stores import PLACES
from mlflow_compose.stack.services import KINDS
from tests.documents import PLACEHOLDER, ROOT, blocks, prose
from tests.unit.conftest import User
from tests.unit.fakes import ALL_WELL, FakeEngine
from tests.unit.samples import stack

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
# Settings of another stack, on which the guide's output is based.
OTHER_STACK = """\
POSTGRES_USER=tracker
S3_BUCKET=team
POSTGRES_PASSWORD=mlflow
MLFLOW_VERSION=latest
MLFLOW_HOST=0.0.0.0
"""


def test_the_readme_must_show_what_up_prints() -> None:
    """Progress as in the tutorial, which is tested; then the `status` of a default stack."""
    # `make up` runs the tool from .venv, so hints name it there.
    shown = [line.replace(".venv/bin/", "") for line in output_lines("README.md") if line]
    printed = status(FakeEngine(stack(), ALL_WELL))
    (start,) = (number for number, line in enumerate(shown) if line.startswith("MLflow "))
    where = printed.lines[printed.lines.index("") + 1 :]
    assert shown[start:-1] == where
    rest = {line.partition("…")[0] for line in (*shown[:start], shown[-1])}
    assert rest <= {line.partition("…")[0] for line in output_lines("docs/tutorial/first-stack.md")}


def output_lines(page: str) -> list[str]:
    """Return the lines of output that a page shows."""
    found = (block for block in blocks(ROOT / page) if block.language == "text")
    return "".join(block.text for block in found).splitlines()


def test_the_guide_to_other_stacks_must_show_what_init_prints(user: User) -> None:
    other = user.folder / "other.env"
    other.write_text(OTHER_STACK, encoding="utf-8")
    printed = user.types("init", "--from", "other.env").out.splitlines()
    assert set(output_lines("docs/how-to/from-another-stack.md")) <= set(printed)


def test_the_guide_to_external_stores_must_show_what_up_prints(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    page = DOCS / "how-to" / "external-stores.md"
    database, bucket, *_ = (block.text for block in blocks(page) if block.language == "dotenv")
    text = f"{database}{bucket}".replace(PLACEHOLDER, "a-long-secret-of-an-example")
    values = {name: value for name, value in parse(text).values.items() if "CERT" not in name}
    found = stack(**values, PG_SSLROOTCERT=str(tmp_path / "ca.pem")).stores
    assert output_lines("docs/how-to/external-stores.md") == [
        f"Runs       {found.runs.text}",
        f"Artifacts  {found.artifacts.text}",
    ]


def test_the_page_about_exit_codes_must_list_every_code() -> None:
    listed = re.findall(r"^\| (\d+) \|", prose(REFERENCE / "exit-codes.md"), re.MULTILINE)
    classes = (found for found in vars(errors).values() if inspect.isclass(found))
    codes = {found.exit_code for found in classes if issubclass(found, MlflowComposeError)}
    assert {int(code) for code in listed} == {0, *codes}


def test_the_page_about_files_must_list_every_volume_and_every_remembered_fact() -> None:
    page = prose(REFERENCE / "files.md")
    remembered = (identity.ID_FILE, identity.KEY_FILE, identity.PLACE_FILE, RECORD_FILE, LOCK)
    assert {name for name in remembered if f"{STATE_DIR}/{name}`" not in page} == set()
    assert {name for kind in KINDS for name in kind.volumes if f"`{name}`" not in page} == set()


def test_the_page_about_safety_must_list_every_setting_that_hides_data() -> None:
    page = prose(DOCS / "explanation" / "safety.md")
    section = page.split("## Settings that would hide data", 1)[1].split("\n## ", 1)[0]
    assert {name for name in PLACES if f"`{name.upper()}`" not in section} == set()
