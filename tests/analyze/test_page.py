"""One file that holds a page: the served page's modules joined, data that is data, films where they lie."""

import json
import re
from pathlib import Path

import pytest

from textmsa.analyze.page import ENTRY, Shown, address_of, as_data, bundle, header, page_of

PAGE = Path(__file__).parents[2] / "textmsa/serve/page"
MARKUP = "</script><script>alert(1)</script><!--"


def test_every_module_that_the_page_needs_is_in_it_once_and_after_those_it_needs():
    places = {
        name: bundle().index(f'modules["{name}"] = ') for name in re.findall(r'modules\["([\w./]+)"\] = ', bundle())
    }
    assert ENTRY in places and "vendor/wavesurfer.esm.js" in places
    for name in places:
        source = (PAGE / name).read_text(encoding="utf-8")
        for needed in re.findall(r'^import .* from "\./([\w./]+)";$', source, re.M):
            assert places[needed] < places[name]
    served = {path.name for path in PAGE.glob("*.js")} - {"app.js", "record.js", "compare.js", "jobs.js", "markdown.js"}
    assert served <= places.keys(), "a part of the served page that the file lacks"
    assert "</script" not in bundle()


def test_nothing_that_is_shown_ends_its_element_or_becomes_markup():
    document = {"text": MARKUP, "line": "a\u2028b"}
    page = page_of(MARKUP, header("x", MARKUP), [Shown("viewer", document, "explained", "a.mp4")])
    assert "alert(1)</script>" not in page and "<!--" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data and json.loads(data[1])[0]["explained"] == document
    assert page.count("<script") == 2


def test_the_policy_lets_nothing_else_run():
    page = page_of("x", "", [], style="b{color:red}")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and "default-src 'none'" in policy[1] and "connect-src 'none'" in policy[1]
    assert "unsafe" not in policy[1] and "http" not in policy[1]
    assert page == page_of("x", "", [], style="b{color:red}")


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        page_of("x", "", [Shown("viewer", {"score": float("nan")}, "explained", None)])


def test_a_film_is_found_from_where_the_page_lies(tmp_path):
    film = tmp_path / "my films" / "a #1.mp4"
    assert address_of(film, tmp_path / "out" / "timeline.html") == "../my%20films/a%20%231.mp4"
    film.parent.mkdir()
    film.write_bytes(b"film")
    assert as_data(film) == "data:video/mp4;base64,ZmlsbQ=="
