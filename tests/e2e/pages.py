"""Looks at pages in a browser, on the machine on which this program runs.

    python -m tests.e2e.pages PROFILE KEY LOGIN [URL TEXT]...

It opens LOGIN, then each URL, and waits until its page shows the text. KEY is the hash of the
server's public key, which the browser then trusts. What the browser reports as an error is one.
"""

import sys
from pathlib import Path

from .browser import open_browser


def look(profile: Path, key: str, login: str, *pages: str) -> None:
    """Open all pages in a browser with a new profile."""
    with open_browser(profile, f"ignore-certificate-errors-spki-list={key}") as browser:
        browser.open(login)
        for url, text in zip(pages[::2], pages[1::2], strict=True):
            browser.open(url)
            browser.find("body", text)
        entries = browser.driver.get_log("browser")  # type: ignore[no-untyped-call]
    if errors := [entry["message"] for entry in entries if entry["level"] == "SEVERE"]:
        raise SystemExit("\n".join(errors))


if __name__ == "__main__":
    look(Path(sys.argv[1]), *sys.argv[2:])
