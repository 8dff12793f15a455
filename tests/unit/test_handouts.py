"""Hand-outs: what they contain, for whom, and in which syntax."""

import ast
import csv
import io
import json
import subprocess
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_compose.classroom import Access, Server, handouts
from mlflow_compose.classroom.seat_files import variables_of
from mlflow_compose.paths import sources, templates
from mlflow_compose.people import Person

SERVER = Server("lab", "0123456789abcdef", "mlflow-skinny==3.17.2", "mlflow-compose class handout")
SOURCES = {**sources("client"), **sources("classroom")}
# Passwords of a class that a teacher chose; those that are derived have letters and digits.
ODD = "p@ss w'or$d\"\\#% ${HOME} `id` $(id) {{x}} <&>*"
CA = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"


def access(number: int, name: str = "", **more: str) -> Access:
    """Return the access of a seat, with a password and a port of its own."""
    seat = f"s{number:02}"
    people = tuple(Person(each, seat, f"{seat}@lab.example") for each in filter(None, [name]))
    values = {
        "url": f"http://10.1.2.3:{5200 + number}",
        "user": seat,
        "password": f"{number:04}-wzn3-e2rt-mc6b",
    }
    return Access(seat, people, **{**values, **more})


def texts_of(found: Mapping[str, str], folder: str) -> Mapping[str, str]:
    """Return the files of a folder, by name."""
    return {
        path.removeprefix(f"{folder}/"): text
        for path, text in found.items()
        if path.startswith(f"{folder}/")
    }


class Page(HTMLParser):
    """The elements and texts of a page, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.open = dict(attrs).get("class") or tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.setdefault(self.open, []).append(data)


def test_each_seat_must_have_a_page_and_a_folder() -> None:
    found = handouts([access(1, "Ada"), access(2)], SERVER, SOURCES)
    assert {path for path in found if "/" not in path} == {
        ".gitignore",
        "all.html",
        "table.html",
        "table.csv",
    }
    for seat in ("s01", "s02"):
        assert {*texts_of(found, seat)} == {
            ".env",
            "check_client.py",
            "connect.ps1",
            "connect.sh",
            "first_run.ipynb",
            "first_run.py",
            "handout.html",
        }
    page = Page(found["all.html"])
    assert page.tags.count("section") == 2
    assert page.texts["short"] == ["Ada", "s02"]
    assert page.texts["typed password"] == ["0001-wzn3-e2rt-mc6b", "0002-wzn3-e2rt-mc6b"]


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("<>&\"'=+-@/\\{}%;,"),
    max_size=40,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(names, min_size=1, max_size=4), names, names)
def test_names_must_be_text_and_never_code(
    people: Sequence[str], experiment: str, email: str
) -> None:
    """Rosters come from elsewhere: their names may be HTML, scripts or formulas."""
    plain = [access(number, f"N{number}", experiment="E") for number, _ in enumerate(people)]
    odd = [
        Access(
            one.seat,
            (Person(name, one.seat, email),),
            one.url,
            one.user,
            one.password,
            experiment or "E",
        )
        for one, name in zip(plain, people, strict=True)
    ]
    expected, found = (handouts(each, SERVER, SOURCES) for each in (plain, odd))
    assert {*found} == {*expected}
    for path, text in found.items():
        if path.endswith(".html"):
            assert Page(text).tags == Page(expected[path]).tags, path
    assert Page(found["all.html"]).texts["experiment"] == [one.experiment for one in odd]
    rows = list(csv.reader(io.StringIO(found["table.csv"].removeprefix("\ufeff"), newline="")))
    assert len(rows) == 1 + len(people)
    for row, one in zip(rows[1:], odd, strict=True):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
        assert [row[1].removeprefix("'"), row[5]] == [one.names.removeprefix("'"), one.password]


def test_a_page_must_need_nothing_from_elsewhere() -> None:
    found = handouts([access(1, "<img src=http://evil.example/x>")], SERVER, SOURCES)
    for path in ("all.html", "table.html", "s01/handout.html"):
        page = Page(found[path])
        assert not {"script", "link", "iframe", "object", "form"} & {*page.tags}, path
        sources_of = [value for name, value in page.attributes if name in {"src", "srcset"}]
        assert all(value.startswith("data:image/svg+xml") for value in sources_of), path
        links = {value for name, value in page.attributes if name == "href"}
        assert links <= {"http://10.1.2.3:5201"}, path
        assert "url(" not in found[path], path
        assert "@import" not in found[path], path


def test_nothing_in_a_folder_must_open_another_seat() -> None:
    """All seats' passwords, users and addresses are planted; a folder has only its own."""
    class_ = [
        access(number, f"Person {number}", user=f"user-{number:03}", experiment=f"exp-{number:03}")
        for number in range(1, 31)
    ]
    found = handouts(class_, SERVER, SOURCES)
    for own in class_:
        text = "".join(texts_of(found, own.seat).values())
        for other in class_:
            secrets = (other.password, other.user, other.url, other.names + "\n", other.experiment)
            assert [each in text for each in secrets[:3]] == [other is own] * 3, own.seat
            assert (other.experiment in text) == (other is own), own.seat
    shared = {path for path in found if "/" not in path and "0001-wzn3" in found[path]}
    assert shared == {"all.html", "table.html", "table.csv"}


def facts_of(program: str) -> dict[str, Any]:
    """Return what the last statement of a program calls `main` with."""
    last = ast.parse(program).body[-1]
    (call,) = (node for node in ast.walk(last) if isinstance(node, ast.Call)
               and isinstance(node.func, ast.Name) and node.func.id == "main")  # fmt: skip
    found: dict[str, Any] = ast.literal_eval(call.args[0])
    return found


@pytest.mark.parametrize("password", ["h4kp-9wzn-e2rt-mc6b", ODD])
@pytest.mark.parametrize("experiment", ["", 'größe\'s "$HOME" `id`'])
def test_every_file_must_set_the_same_variables(password: str, experiment: str) -> None:
    one = access(1, "Ada", password=password, experiment=experiment)
    files = texts_of(handouts([one], SERVER, SOURCES), "s01")
    expected = variables_of(one)
    assert dict(dotenv_values(stream=io.StringIO(files[".env"]), interpolate=False)) == expected
    for name in ("check_client.py", "first_run.py"):
        assert facts_of(files[name])["variables"] == expected
    shown = subprocess.run(
        ["bash", "-c", 'eval "$1"; shift; for one; do printf "%s\\0" "${!one}"; done', "-",
         files["connect.sh"], *expected],
        check=True, capture_output=True, text=True, env={"HOME": "/wrong"},
    )  # fmt: skip
    assert shown.stdout.split("\0")[:-1] == [*expected.values()]
    lines = files["connect.ps1"].splitlines()
    # In single quotes, PowerShell replaces nothing but doubled quotes.
    assert lines == [
        f"$env:{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in expected.items()
    ]


def connected(notebook: str) -> dict[str, str]:
    """Return the variables that the first code cell of a notebook sets."""
    cells = json.loads(notebook)["cells"]
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    environ: dict[str, str] = {}
    code = "".join(first["source"]).replace("import os\n", "")

    class System:
        """Stands for the module `os`."""

        def __init__(self) -> None:
            self.environ = environ

    exec(code, {"os": System()})  # noqa: S102 - the generated cell is what is tested
    return environ


@pytest.mark.parametrize("password", ["h4kp-9wzn-e2rt-mc6b", ODD])
def test_the_notebook_must_connect_in_its_first_cell(password: str) -> None:
    one = access(1, password=password, experiment="exp")
    found = handouts([one], SERVER, SOURCES)
    assert connected(found["s01/first_run.ipynb"]) == variables_of(one)
    cells = json.loads(found["s01/first_run.ipynb"])["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            ast.parse("".join(cell["source"]))
    shipped = json.loads(SOURCES["first_run.ipynb"])["cells"]
    assert [cell["id"] for cell in cells] == [cell["id"] for cell in shipped]


def test_certificates_must_be_a_file_that_everything_uses() -> None:
    files = texts_of(handouts([access(1, ca_certs=CA)], SERVER, SOURCES), "s01")
    assert files["lab-ca.crt"] == CA
    name = "MLFLOW_TRACKING_SERVER_CERT_PATH"
    assert f"{name}=lab-ca.crt\n" in files[".env"]
    assert f'export {name}="$PWD/lab-ca.crt"\n' in files["connect.sh"]
    assert f'$env:{name} = "$PWD/lab-ca.crt"\n' in files["connect.ps1"]
    assert (
        f'os.environ[\\"{name}\\"] = os.path.abspath(\\"lab-ca.crt\\")' in files["first_run.ipynb"]
    )
    assert facts_of(files["first_run.py"])["certificates"] == "lab-ca.crt"
    assert facts_of(files["check_client.py"])["ca"] == CA
    assert "import <code>lab-ca.crt</code>" in files["handout.html"]
    without = texts_of(handouts([access(1)], SERVER, SOURCES), "s01")
    assert "lab-ca.crt" not in without
    assert name not in "".join(without[path] for path in (".env", "connect.sh", "handout.html"))


def test_only_a_shared_server_must_have_a_column_of_experiments() -> None:
    assert (
        "experiment" not in Page(handouts([access(1)], SERVER, SOURCES)["table.html"]).texts["th"]
    )
    shared = handouts([access(1, experiment="ada")], SERVER, SOURCES)
    assert "experiment" in Page(shared["table.html"]).texts["th"]
    assert "Your experiment is the one" in shared["all.html"]


def test_passwords_must_not_be_in_a_repr() -> None:
    one = access(1)
    assert one.password not in repr(one)


def test_the_first_run_must_be_python_3_8() -> None:
    text = (templates() / "classroom" / "first_run.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
