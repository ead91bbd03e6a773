"""What mkdocs is told besides mkdocs.yml: pages that lie elsewhere in the repository, and the figure with its links.

In the repository a link leads to the file itself (`../CONTRIBUTING.md`, `../textmsa/model/network.py`). The site has
a page for each such file, so that nothing leads to another host.
"""

import re
from pathlib import Path
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "textmsa/weights/everyday.md": "everyday-card.md",
}
"""File of the repository -> page of the site."""
FIGURE = "method.svg"
LINK = re.compile(r"(\]\()([\w./-]+\.md)(#[\w-]+)?(?=\))")
SOURCE_LINK = re.compile(r'(href="|\]\()\.\./(textmsa/[\w/]+)\.py(?="|\))')
FIGURE_SHOWN = re.compile(rf'<p><img [^>]*src="{re.escape(FIGURE)}"[^>]*></p>')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and one for each source file that a page or the figure links to."""
    linked = set()
    for path in sorted((ROOT / "docs").glob("*.*")):
        if path.suffix in (".md", ".svg"):
            linked |= {match[2] for match in SOURCE_LINK.finditer(path.read_text(encoding="utf-8"))}
    for name, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=_without_front_matter(ROOT / name)))
    for module in sorted(linked):
        code = (ROOT / f"{module}.py").read_text(encoding="utf-8")
        content = f"# {module}.py\n\n````python\n{code}````\n"
        files.append(File.generated(config, f"source/{module}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to the site's pages."""
    name = page.file.src_uri
    if name.startswith("source/"):
        return markdown
    origin = {page: file for file, page in OUTSIDE.items()}.get(name, f"docs/{name}")
    markdown = LINK.sub(lambda match: match[1] + _page_of(match[2], origin) + (match[3] or ""), markdown)
    return SOURCE_LINK.sub(lambda match: f"{match[1]}source/{match[2]}.md", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lay the figure into its page, where its links work and it follows the page's colours."""
    return FIGURE_SHOWN.sub(lambda _: _figure(), html)


def _page_of(link: str, origin: str) -> str:
    """The page that shows what `link` names beside the file `origin`; as it is where none does."""
    named = normpath(f"{Path(origin).parent.as_posix()}/{link}")
    if named in OUTSIDE:
        return OUTSIDE[named]
    return named.removeprefix("docs/") if named.startswith("docs/") else link


def _figure() -> str:
    svg = (ROOT / "docs" / FIGURE).read_text(encoding="utf-8")
    return SOURCE_LINK.sub(lambda match: f"{match[1]}source/{match[2]}.html", svg)


def _without_front_matter(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
