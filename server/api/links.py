"""Links in what a backend answers: those to its own root are made to lead through the proxy again.

So it is with HTML and redirections that pass nodes/proxy, pods/proxy and services/proxy. Pages are changed
as they stream by; what is no link of a page is passed on as it is.
"""

import re
from dataclasses import dataclass, field
from html import escape, unescape
from posixpath import normpath
from urllib.parse import urlsplit

_ATTRIBUTES = {
    "a": "href", "applet": "codebase", "area": "href", "audio": "src", "base": "href", "blockquote": "cite",
    "body": "background", "button": "formaction", "command": "icon", "del": "cite", "embed": "src",
    "form": "action", "frame": "longdesc|src", "head": "profile", "html": "manifest",
    "iframe": "longdesc|src", "img": "longdesc|src|usemap", "input": "src|usemap|formaction",
    "ins": "cite", "link": "href",
    "object": "classid|codebase|data|usemap", "q": "cite", "script": "src", "source": "src",
    "video": "poster|src",
}  # fmt: skip
"""Which attributes of which elements are links."""
_TAG = re.compile(rb"""<([a-z][a-z0-9]*)(?=[\s/>])(?:"[^"]*"|'[^']*'|[^"'>])*>""", re.IGNORECASE)
_PERHAPS = re.compile(rb"<(?:[a-z]|!?-?$)", re.IGNORECASE)
_COMMENT, _COMMENT_END = b"<!--", b"-->"
_RAW = frozenset({"script", "style"})
"""Elements whose text is no HTML."""
LONGEST_TAG = 64 * 1024
"""Bytes of one tag that are waited for."""


@dataclass(frozen=True)
class Way:
    """How a backend is reached through the server."""

    prefix: str
    """The path that stands before the backend's own."""
    backend: frozenset[str] = frozenset()
    """What the backend may call its own host."""
    asked: str = ""
    """The host that was asked, which stays in a link that names it."""

    def link(self, text: str) -> str:
        """The link as it is for whoever is on this side."""
        try:
            parts = urlsplit(text)
        except ValueError:
            return text
        elsewhere = parts.netloc and parts.netloc not in {*self.backend, self.asked}
        if elsewhere or not parts.path.startswith("/"):
            return text
        if parts.netloc != self.asked:
            parts = parts._replace(scheme="", netloc="")
        if parts.path.startswith(self.prefix):
            return parts.geturl()
        ending = "/" if parts.path.endswith("/") else ""
        return parts._replace(path=normpath(f"{self.prefix}/{parts.path}").rstrip("/") + ending).geturl()


@dataclass
class Page:
    """HTML on its way: `feed` gives back as much as is known to be whole, `rest` the end."""

    way: Way
    _held: bytes = b""
    _until: bytes = field(default=b"")
    """What ends the comment or script that is passing by."""

    def feed(self, piece: bytes) -> bytes:
        self._held += piece
        out: list[bytes] = []
        while (part := self._next()) is not None:
            out.append(part)
        return b"".join(out)

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def _next(self) -> bytes | None:
        """The next stretch of the page; None when more of it must come first."""
        if self._until:
            return self._passing()
        start = self._held.find(b"<")
        if start:
            return self._take(len(self._held) if start < 0 else start) or None
        if self._held.startswith(_COMMENT):
            self._until = _COMMENT_END
            return self._take(len(_COMMENT))
        if tag := _TAG.match(self._held):
            self._take(tag.end())
            return self._rewritten(tag)
        waits = _PERHAPS.match(self._held) and len(self._held) < LONGEST_TAG
        return None if waits else self._take(1)

    def _passing(self) -> bytes | None:
        end = self._held.lower().find(self._until)
        if end < 0:
            return self._take(max(0, len(self._held) - len(self._until))) or None
        self._until, length = b"", len(self._until)
        return self._take(end + length)

    def _take(self, length: int) -> bytes:
        taken, self._held = self._held[:length], self._held[length:]
        return taken

    def _rewritten(self, tag: re.Match[bytes]) -> bytes:
        name = tag[1].decode().lower()
        if name in _RAW:
            self._until = b"</" + name.encode()
        if name not in _ATTRIBUTES:
            return tag[0]
        value = rb"""("[^"]*"|'[^']*'|[^\s"'>]+)"""
        links = re.compile(rb"(\s(?:%b)\s*=\s*)%b" % (_ATTRIBUTES[name].encode(), value), re.IGNORECASE)
        return links.sub(self._attribute, tag[0])

    def _attribute(self, found: re.Match[bytes]) -> bytes:
        old = unescape(found[2].strip(b"\"'").decode(errors="surrogateescape"))
        new = self.way.link(old)
        if new == old:
            return found[0]
        return found[1] + b'"%b"' % escape(new).encode(errors="surrogateescape")
