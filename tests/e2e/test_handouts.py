"""Hand-outs as they are printed and scanned, in a real browser."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_compose.classroom import Access, Server, handouts
from mlflow_compose.paths import sources
from mlflow_compose.people import Person
from mlflow_compose.render import write_private

from .browser import Browser, open_browser

SCRIPT = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title='hacked'\">"
TEAM = ("Ada Lovelace", "Wolfeschlegelsteinhausenbergerdorff " * 3, "李雷", "علي", "Łucja", SCRIPT)
# Width and height in centimetres.
PAPER = {"A4": (21.0, 29.7), "Letter": (21.59, 27.94)}
MARGIN = 1.4
PRINTER = {"width": 800, "height": 1100, "deviceScaleFactor": 3, "mobile": False}
SERVER = Server("lab", "0123456789abcdef", "mlflow-skinny==3.17.2", "mlflow-compose class handout")


def class_() -> tuple[Access, ...]:
    """Return seats with little and with much to print."""
    people = tuple(Person(name.strip(), "team", "team@lab.example") for name in TEAM)
    long = "http://laboratory-server-of-the-institute.example.org:5240"
    return (
        Access("s01", (), "http://10.1.2.3:5201", "s01", "h4kp-9wzn-e2rt-mc6b"),
        Access("team", people, long, "team", "W" * 24, "an experiment " * 4, "CERTIFICATE\n"),
        Access("s03", people[:1], "https://[fd00::1]:5203", "s03", "a<b>&\"c' =%d{e}f"),
    )


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the hand-outs."""
    folder = tmp_path_factory.mktemp("class") / "handouts"
    texts = {**sources("client"), **sources("classroom")}
    write_private(handouts(class_(), SERVER, texts), folder)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser with an empty profile."""
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def pages(browser: Browser, paper: str) -> int:
    """Return the number of pages on which the browser prints what it shows."""
    from selenium.webdriver.common.print_page_options import PrintOptions

    options = PrintOptions()
    options.page_width, options.page_height = PAPER[paper]
    options.margin_top = options.margin_bottom = options.margin_left = options.margin_right = MARGIN
    pdf = base64.b64decode(browser.driver.print_page(options))
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def texts(browser: Browser, selector: str) -> list[str]:
    found = browser.driver.find_elements("css selector", selector)
    return [str(one.get_property("textContent")) for one in found]


@pytest.mark.parametrize("paper", PAPER)
def test_each_seat_must_be_printed_on_one_page(
    paper: str, handed_out: Path, browser: Browser
) -> None:
    browser.open((handed_out / "all.html").as_uri())
    assert pages(browser, paper) == len(class_())
    for one in class_():
        browser.open((handed_out / one.seat / "handout.html").as_uri())
        assert pages(browser, paper) == 1, one.seat
    browser.open((handed_out / "table.html").as_uri())
    assert pages(browser, paper) == 1


def test_names_and_passwords_must_be_shown_as_they_are(handed_out: Path, browser: Browser) -> None:
    browser.open((handed_out / "all.html").as_uri())
    assert texts(browser, "h1") == [one.names for one in class_()]
    assert texts(browser, ".password") == [one.password for one in class_()]
    browser.open((handed_out / "table.html").as_uri())
    assert texts(browser, "td:nth-child(6)") == [one.password for one in class_()]
    assert browser.driver.title != "hacked"
    # Such as what its own policy refused.
    assert browser.driver.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_a_qr_code_must_hold_the_address_and_nothing_else(
    handed_out: Path, browser: Browser
) -> None:
    from PIL import Image
    from zxingcpp import read_barcode

    browser.open((handed_out / "all.html").as_uri())
    # About what a printer resolves.
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PRINTER)
    images = browser.driver.find_elements("css selector", "header img")
    scanned = [read_barcode(Image.open(io.BytesIO(one.screenshot_as_png))) for one in images]
    assert [one.text if one else "" for one in scanned] == [one.url for one in class_()]
