"""The docs as pages: they build without a complaint, and ask nothing of another host."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("material", reason="needs the extra docs")

ROOT = Path(__file__).parents[1]
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""What a browser fetches by itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as `make docs` builds them."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
    return folder


class Fetched(HTMLParser):
    """Addresses that a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("canonical", "prev", "next"):
            return  # named, not fetched
        if tag in FETCHED and (address := values.get(FETCHED[tag])):
            self.addresses.append(address)


@pytest.mark.slow
def test_the_pages_build_and_fetch_nothing_from_another_host(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.addresses
        assert not [address for address in parser.addresses if re.match(r"(?:https?:)?//", address)], page.name
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", styles)


@pytest.mark.slow
def test_the_figure_is_part_of_its_page_and_its_boxes_lead_to_pages(site):
    page = (site / "method.html").read_text(encoding="utf-8")
    figure = re.search(r'<svg[^>]*class="textmsa-method".*?</svg>', page, flags=re.S)
    assert figure
    targets = re.findall(r'href="([^"]+)"', figure[0])
    assert len(targets) > 20
    assert not [target for target in targets if not (site / target).is_file()]


@pytest.mark.slow
def test_what_lies_beside_the_docs_has_its_page_and_links_to_it_lead_there(site):
    assert 'href="contributing.html"' in (site / "python-api.html").read_text(encoding="utf-8")
    assert 'href="everyday-card.html"' in (site / "everyday.html").read_text(encoding="utf-8")
    assert 'href="architecture.html"' in (site / "contributing.html").read_text(encoding="utf-8")
    assert "license: apache" not in (site / "everyday-card.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_reference_shows_signatures_and_parameters(site):
    page = (site / "reference.html").read_text(encoding="utf-8")
    assert page.count("doc-object-name") > 20
    assert "Axis" in page or "values_TF" in page
