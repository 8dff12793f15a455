"""A real browser: Debian's Chromium without a window, driven by Selenium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REQUIRE_DOCKER

from .tool import CHECKOUT
from .waiting import PATIENCE

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

PROGRAMS = ("chromium", "chromedriver")
SCREENSHOTS = CHECKOUT / ".logs" / "screenshots"
SECONDS = 30


class Browser:
    """A browser with one or more tabs."""

    def __init__(self, driver: "Chrome") -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Open a page."""
        self.driver.get(url)

    def find(self, selector: str, text: str = "") -> "WebElement":
        """Return the first visible element that matches a CSS selector and contains a text."""
        return self.find_any((selector, text))

    def find_any(self, *wanted: tuple[str, str]) -> "WebElement":
        """Return the first visible element for one of several selectors and texts."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.wait import WebDriverWait

        def found(driver: "Chrome") -> "WebElement | None":
            matching = (
                one
                for selector, text in wanted
                for one in driver.find_elements("css selector", selector)
                if one.is_displayed() and text in one.text
            )
            return next(matching, None)

        ignored = [StaleElementReferenceException]
        wait = WebDriverWait(self.driver, SECONDS * PATIENCE, ignored_exceptions=ignored)
        message = f"not on the page: {wanted}"
        element = wait.until(found, message)
        assert element
        return element

    def click(self, selector: str, text: str = "") -> None:
        """Click an element."""
        self.find(selector, text).click()

    def double_click(self, selector: str, text: str = "") -> None:
        """Click an element twice, as one opens a file."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).double_click(self.find(selector, text)).perform()

    def open_notebook(self, name: str) -> None:
        """Open a notebook in JupyterLab, and wait until its kernel is connected.

        Chromium fails requests while any network of this machine changes, as Docker's networks do
        in other tests (ERR_NETWORK_CHANGED); then, as a person would, try again.
        """
        ready, refused = ("#jp-main-statusbar", "| Idle"), (".jp-Dialog-content", "Failed to fetch")
        self.double_click(".jp-DirListing-item", name)
        while "Failed to fetch" in self.find_any(ready, refused).text:
            self.click(".jp-Dialog-button", "Close")
            self.double_click(".jp-DirListing-item", name)

    def type(self, selector: str, text: str) -> None:
        """Enter a text and submit it."""
        self.find(selector).send_keys(text + "\n")

    def switch_to_new_tab(self) -> None:
        """Continue in the tab that was opened last."""
        self.driver.switch_to.window(self.driver.window_handles[-1])

    def keep_screenshot(self, name: str) -> None:
        """Write what the browser shows into `.logs/`."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


def require_browser() -> None:
    """Skip the test if there is no browser; fail if Docker is required, as in CI."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        reason = f"there is no {' and no '.join(missing)} (Debian's packages: chromium-driver)"
        if os.environ.get(REQUIRE_DOCKER) == "1":
            pytest.fail(f"{REQUIRE_DOCKER}=1, and {reason}", pytrace=False)
        pytest.skip(reason)


@contextmanager
def open_browser(profile: Path, *more: str) -> Iterator[Browser]:
    """Provide a browser; without Chromium, skip the test, or fail it if Docker is required.

    Args:
        profile: Empty folder for its data.
        more: More options of Chromium, without hyphens.
    """
    require_browser()
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    # Root, and containers, have no sandbox.
    usual = ("headless=new", "no-sandbox", "no-proxy-server", "window-size=1400,1000")
    for option in (*usual, *more):
        options.add_argument(f"--{option}")
    options.add_argument(f"--user-data-dir={profile}")
    options.binary_location = str(shutil.which("chromium"))
    driver = Chrome(options, ChromeService(str(shutil.which("chromedriver"))))
    try:
        yield Browser(driver)
    except BaseException:
        Browser(driver).keep_screenshot("failed")
        raise
    finally:
        driver.quit()
