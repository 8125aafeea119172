"""The report is one well-formed page that needs nothing else."""

from __future__ import annotations

import copy
from html.parser import HTMLParser
from typing import Any

from dovetail.backends import EmitContext
from dovetail.backends.report import ReportBackend, report_html

Json = dict[str, Any]

VOID = {"meta", "br", "hr", "img", "link", "input"}
REACHING = {"src", "href", "xlink:href", "action", "srcset", "data", "poster"}


class Page(HTMLParser):
    """Reads a page; notes tags that do not match, attributes that reach outside, and the text by element."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: set[str] = set()
        self.text: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.faults += [f"{tag} {name}={value}" for name, value in attrs if name in REACHING]
        self.faults += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append((self.open[-1] if self.open else "", data))

    def words(self, tag: str) -> list[str]:
        """Texts directly in elements of that name."""
        return [text for element, text in self.text if element == tag]


def well_formed(html: str) -> Page:
    """The page, tags balanced, nothing from outside and no script."""
    page = Page(html)
    assert page.faults == []
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "img", "base"}
    for sign in ("http:", "https:", "url(", "@import", "javascript:", 'src="//'):
        assert sign not in html
    return page


def test_page_is_well_formed_and_needs_nothing_else(any_plan: Json) -> None:
    well_formed(report_html(any_plan))


def test_page_says_what_the_plan_says(mixed_plan: Json) -> None:
    page = well_formed(report_html(mixed_plan))
    assert page.words("h1") == ["voice-agent: 12.30 USD/h (107,748 USD a year), proved optimal"]
    assert {"think.decode", "3 x mi300x", "71 GB", "250 ms", "328 MB", "11.30", "92 %"} <= set(page.words("td"))
    assert "the bound on time between tokens of think (slo.tbt[think])" in page.words("li")
    assert "links that are not listed" in page.words("li")
    assert page.words("code") == ["c" * 64, "b" * 64, "a" * 64]
    assert any("60 % from a model fitted to measurements" in text for text in page.words("p"))


def test_bar_is_as_wide_as_the_shares(mixed_plan: Json) -> None:
    html = report_html(mixed_plan)
    assert f'width="{11.3 / 12.3 * 640:.1f}"' in html
    assert f'x="{11.3 / 12.3 * 640:.1f}" y="0" width="{0.8 / 12.3 * 640:.1f}"' in html
    assert html.count("<title>") == 1 + 3


def test_plan_that_costs_nothing_has_no_bar(mixed_plan: Json) -> None:
    mixed_plan["cost"]["parts"] = dict.fromkeys(mixed_plan["cost"]["parts"], 0.0)
    assert "<svg" not in report_html(mixed_plan)


def test_text_of_the_user_is_escaped(mixed_plan: Json) -> None:
    evil = "<script>alert('&')</script>"
    mixed_plan["inputs"]["graph"]["name"] = evil
    mixed_plan["warnings"] = [evil]
    mixed_plan["binding"] = [evil]
    mixed_plan["pools"][0]["device"] = evil
    mixed_plan["fleet"] = {evil: {"devices": 1, "usd_per_year": 1.0}}
    page = well_formed(report_html(mixed_plan))
    assert page.words("li").count(evil) == 2
    assert page.words("title")[0] == f"{evil}: plan"
    assert evil in page.words("td")


def test_infeasible_plan_has_a_page_too(mixed_plan: Json) -> None:
    plan = {
        "format": 1, "dovetail": "0.1.0", "status": "infeasible", "inputs": mixed_plan["inputs"],
        "conflict": ["count[h100]"],
    }  # fmt: skip
    page = well_formed(report_html(plan))
    assert page.words("h1") == ["voice-agent: no plan can meet what is asked"]
    assert page.words("li") == ["how many h100 there are (count[h100])"]


def test_bytes_do_not_depend_on_solve(any_plan: Json) -> None:
    other = copy.deepcopy(any_plan) | {"solve": {"seconds": 99.0, "solver": "cbc"}}
    assert report_html(other) == report_html(any_plan)


def test_backend_writes_one_file(mixed_plan: Json) -> None:
    (file,) = ReportBackend().emit(mixed_plan, EmitContext())
    assert (file.path, file.content) == ("report.html", report_html(mixed_plan))
