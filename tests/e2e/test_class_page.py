"""The teacher's page, in a real browser; its seats are in memory, as what runs them is the board's.

That of a real class is in `test_class.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.class_page import PASSWORD, Client, MemoryBoard, page_of, seats

from .browser import Browser, open_browser

# WCAG's level AAA for text; pixels of what is read from afar, and of what is touched.
CONTRAST, TEXT, TOUCHED = 7, 22, 44
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
# Long names, without a place to break.
LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"
CONTRASTS = """
const channels = (color) => color.match(/[0-9.]+/g).map(Number);
const light = (color) => channels(color).slice(0, 3)
  .map((one) => one / 255)
  .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
const back = (one) => {
  const color = getComputedStyle(one).backgroundColor;
  return channels(color)[3] === 0 && one.parentElement ? back(one.parentElement) : color;
};
return [...document.querySelectorAll("h1, #summary, th, td, a, button, span, #jobs li")]
  .filter((one) => one.textContent.trim() && one.checkVisibility())
  .map((one) => {
    const both = [light(getComputedStyle(one).color), light(back(one))];
    const [low, high] = both.sort((a, b) => a - b);
    return [one.outerHTML.slice(0, 80), (high + 0.05) / (low + 0.05)];
  });
"""
WIDTHS = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
SIZE = "return parseFloat(getComputedStyle(document.querySelector(arguments[0])).fontSize)"


def console(browser: Browser) -> list[dict[str, str]]:
    """Return what the browser reported to its console."""
    found: list[dict[str, str]] = browser.driver.get_log("browser")  # type: ignore[no-untyped-call]
    return found


@pytest.fixture(scope="module")
def board() -> MemoryBoard:
    return MemoryBoard(seats(12))


@pytest.fixture(scope="module")
def client(board: MemoryBoard) -> Iterator[Client]:
    with page_of(board) as client:
        yield client


@pytest.fixture(scope="module")
def browser(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser in which the teacher has entered the password, after a typing error."""
    with open_browser(tmp_path_factory.mktemp("teacher")) as browser:
        browser.open(client.url)
        browser.type("#password", "wrong")
        browser.find(".problem", "Wrong password")
        browser.type("#password", PASSWORD)
        browser.find("#seats tr")
        yield browser


def row(seat: str, part: str = "") -> str:
    """Return the selector of a seat's row, or of a part of it."""
    return f"tr[data-seat={seat}] {part}".rstrip()


def press(browser: Browser, selector: str) -> None:
    """Click a button, scrolled to the middle: the last outcomes cover the bottom of the window."""
    script = "arguments[0].scrollIntoView({block: 'center'})"
    browser.driver.execute_script(script, browser.find(selector))
    browser.click(selector)


def test_the_table_must_show_every_seat(browser: Browser) -> None:
    assert len(browser.driver.find_elements("css selector", "#seats tr")) == 12
    browser.find("#summary", "11 of 12 healthy; look at s03")
    shown = browser.find(row("s02")).text
    for part in ("s02", "Person Number 2 <b>&", "healthy", "6", "2 min ago", "2.8 MB"):
        assert part in shown
    link = browser.find(row("s02", "a"))
    assert link.get_attribute("href") == "http://127.0.0.1:5202/"


def test_two_browsers_must_see_a_change_without_reloading(
    browser: Browser, board: MemoryBoard, client: Client, tmp_path: Path
) -> None:
    with open_browser(tmp_path) as other:
        other.open(client.url)
        other.type("#password", PASSWORD)
        for each in (browser, other):
            each.find(row("s05", ".state"), "healthy")
            each.driver.execute_script("window.mark = 'not reloaded'")
        board.change("s05", health="restarting", runs=1234)
        for each in (browser, other):
            each.find(row("s05", ".state"), "restarting")
            each.find(row("s05", ".runs"), "1234")
            assert each.driver.execute_script("return window.mark") == "not reloaded"
        # A button in one, its outcome in both.
        press(browser, row("s05", ".restart"))
        for each in (browser, other):
            each.find("#jobs li", "s05 was restarted")
            each.find(row("s05", ".state"), "healthy")
    assert ("restart", "s05") in board.done


def test_a_reset_must_ask_for_the_name_of_the_seat(browser: Browser, board: MemoryBoard) -> None:
    press(browser, row("s06", ".reset"))
    browser.find("#question", "Reset s06?")
    browser.type("#typed", "s07")
    assert not browser.find("#reset").is_enabled()
    browser.click("#cancel")
    press(browser, row("s06", ".reset"))
    browser.type("#typed", "s06")
    browser.find("#jobs li", "s06 was reset")
    browser.find(row("s06", ".activity"), "none yet")
    assert board.done.count(("reset", "s06")) == 1
    assert ("reset", "s07") not in board.done


def test_why_an_action_failed_must_be_shown(browser: Browser) -> None:
    press(browser, row("s12", ".restart"))
    browser.find("#jobs li", "s12 was not restarted: s12 keeps restarting")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_must_be_readable_from_afar(browser: Browser, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.find("#seats tr")
    found = browser.driver.execute_script(CONTRASTS)
    assert len(found) > 50
    assert [part for part in found if part[1] < CONTRAST] == []
    assert browser.driver.execute_script(SIZE, "td") >= TEXT
    press(browser, "#view")
    browser.find(".wall .seat")
    assert browser.driver.execute_script(SIZE, ".seat") >= TEXT * 1.4
    press(browser, "#view")
    browser.find("body:not(.wall) .seat")


def test_a_phone_must_show_everything_without_scrolling_sideways(
    browser: Browser, board: MemoryBoard
) -> None:
    board.change("s02", names=f"{LONG}, {LONG}", health="a state that is not a short one")
    browser.find(row("s02"), LONG)
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    for _ in ("table", "large view"):
        width, visible = browser.driver.execute_script(WIDTHS)
        assert width <= visible == PHONE["width"]
        press(browser, "#view")
    for part in (".restart", ".reset", ".storage", ".activity"):
        assert browser.find(row("s04", part)).is_displayed()
    assert browser.find(row("s04", ".restart")).size["height"] >= TOUCHED
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_must_need_nothing_from_elsewhere(browser: Browser, client: Client) -> None:
    names = "return performance.getEntriesByType('resource').map((one) => one.name)"
    loaded = browser.driver.execute_script(names)
    assert {name.removeprefix(client.url) for name in loaded} >= {"/page.css", "/page.js"}
    assert all(name.startswith(client.url) for name in loaded)
    problems = [entry["message"] for entry in console(browser)]
    # Of the wrong password.
    assert [text for text in problems if "401" not in text] == []


def test_a_lost_connection_must_be_shown_until_it_is_back(browser: Browser) -> None:
    browser.driver.switch_to.new_window("tab")
    board = MemoryBoard(seats(2))
    with page_of(board) as client:
        browser.open(client.url)
        browser.type("#password", PASSWORD)
        browser.find(row("s02"))
    browser.find("#trouble", "The connection to the server is lost")
    with page_of(board, int(client.url.rpartition(":")[2])):
        # Its sessions are new ones.
        browser.find("#password")
