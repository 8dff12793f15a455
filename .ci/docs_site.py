"""Hooks of MkDocs: the site's navigation, and links to files of the repository outside of docs/.

Pages are written for readers of the repository. Their links stay as they are there, and the order
of the navigation is that of the lists in docs/README.md and docs/architecture.md.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
HOME, ARCHITECTURE = "README.md", "architecture.md"
# Pages outside of docs/, by their path in the site.
MORE = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
SECTIONS = {
    "Tutorial": "tutorial/",
    "How-to guides": "how-to/",
    "Reference": "reference/",
    "Explanation": "explanation/",
    "Benchmark": "benchmark/",
}
# Not of images, and not of addresses or anchors of the same page.
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
# What a browser would get from another server on its own.
FOREIGN = re.compile(
    r'<(?:script|img|iframe)[^>]* src="?(https?://[^" >]+)'
    r'|<link[^>]* rel="?(?:stylesheet|preconnect)"?[^>]* href="?(https?://[^" >]+)'
)
CODE = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:  # noqa: ANN401 - MkDocs' config is a dict
    """Add the pages outside of docs/, and order the navigation."""
    for path, source in MORE.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    listed = [*_listed(HOME), *_listed(ARCHITECTURE)]
    pages = sorted(
        (page.src_uri for page in files.documentation_pages()),
        key=lambda page: listed.index(page) if page in listed else len(listed),
    )
    sections = [
        {title: [page for page in pages if page.startswith(folder)]}
        for title, folder in SECTIONS.items()
    ]
    inside = [page for page in pages if page.startswith("architecture/")]
    project = [ARCHITECTURE, *inside, "contributing.md"]
    config["nav"] = [HOME, *sections, {"Architecture": project}, {"Changes": "changelog.md"}]
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - MkDocs'
    """Rewrite links as the site needs them."""
    source = MORE.get(page.file.src_uri, f"{DOCS}/{page.file.src_uri}")
    parts = CODE.split(markdown)
    # Every second part is a block of code.
    parts[::2] = [
        LINK.sub(lambda found: _link(found, source, page.file.src_uri), part) for part in parts[::2]
    ]
    return "".join(parts)


def on_post_page(output: str, page: Any, **_: object) -> str:  # noqa: ANN401 - MkDocs'
    """Make sure that a page can be read without a network."""
    if found := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} loads {found[1] or found[2]}")
    return output


def _listed(page: str) -> list[str]:
    """Return the pages that a page of docs/ links to, in their order."""
    text = (ROOT / DOCS / page).read_text(encoding="utf-8")
    return [found[2] for found in LINK.finditer(text)]


def _link(found: re.Match[str], source: str, page: str) -> str:
    """Return a link, of a page with this path in the repository and in the site."""
    text, path, anchor = found.groups(default="")
    target = os.path.normpath(Path(source).parent / path)
    if not (ROOT / target).exists():
        raise PluginError(f"{source} links to {path}, which does not exist")
    sites = {there: here for here, there in MORE.items()}
    known = sites.get(target) or target.removeprefix(f"{DOCS}/")
    if known == target:
        # Only in the repository.
        return f"{text} (`{target}`)"
    return f"[{text}]({os.path.relpath(known, Path(page).parent)}{anchor})"
