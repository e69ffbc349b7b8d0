"""Links of pages and redirections that pass a proxy."""

import pytest

from server.api.links import LONGEST_TAG, Page, Way

PREFIX = "/api/v1/namespaces/n/pods/p:80/proxy"
WAY = Way(PREFIX, frozenset({"10.0.0.9:80"}), "server:6443")


@pytest.mark.parametrize(
    ("link", "seen"),
    [
        ("/", f"{PREFIX}/"),
        ("/a/b?c=d#e", f"{PREFIX}/a/b?c=d#e"),
        ("/dir/", f"{PREFIX}/dir/"),
        ("relative/x", "relative/x"),
        ("#here", "#here"),
        ("http://10.0.0.9:80/x", f"{PREFIX}/x"),
        ("https://server:6443/x", f"https://server:6443{PREFIX}/x"),
        ("https://elsewhere/x", "https://elsewhere/x"),
        ("mailto:somebody@example.com", "mailto:somebody@example.com"),
        (f"{PREFIX}/x", f"{PREFIX}/x"),
        ("http://[broken/", "http://[broken/"),
    ],
)
def test_links(link: str, seen: str) -> None:
    assert WAY.link(link) == seen


PAGES = [
    ('<a href="/x">y</a>', f'<a href="{PREFIX}/x">y</a>'),
    ("<A class=c HREF='/x?a=1&amp;b=2'>", f'<A class=c HREF="{PREFIX}/x?a=1&amp;b=2">'),
    ("<img src=/x.png alt='>'>", f"<img src=\"{PREFIX}/x.png\" alt='>'>"),
    (
        '<form action="/x"><input src="/y" formaction=/z></form>',
        f'<form action="{PREFIX}/x"><input src="{PREFIX}/y" formaction="{PREFIX}/z"></form>',
    ),
    ('<p title="/x" data-href="/x">/x</p><area alt="/y">',) * 2,
    ('<!-- <a href="/x"> -->',) * 2,
    ('<script>"<a href=\'/x\'>"</script><a href="y">',) * 2,
    ('<script src="/x"></script>', f'<script src="{PREFIX}/x"></script>'),
    ("1 < 2 <- <3 </a> <a", "1 < 2 <- <3 </a> <a"),
    ('<a href="/\udcff">', f'<a href="{PREFIX}/\udcff">'),
]


@pytest.mark.parametrize(("page", "seen"), PAGES, ids=[str(number) for number in range(len(PAGES))])
@pytest.mark.parametrize("length", [1, 2, 1000])
def test_pages_in_pieces_of_any_length(page: str, seen: str, length: int) -> None:
    data, passing = page.encode(errors="surrogateescape"), Page(WAY)
    pieces = [passing.feed(data[at : at + length]) for at in range(0, len(data), length)]
    assert (b"".join(pieces) + passing.rest()).decode(errors="surrogateescape") == seen


def test_a_tag_without_end_is_not_waited_for() -> None:
    page, endless = Page(WAY), b'<a href="' + b"x" * LONGEST_TAG
    assert page.feed(endless) == endless


def test_text_comes_at_once() -> None:
    page = Page(WAY)
    assert page.feed(b"<p>hello") == b"<p>hello"
