"""From text to tokens."""

import re
from typing import Any, NamedTuple

from server.cel.errors import CompileError
from server.cel.values import Uint

RESERVED = frozenset(
    {
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
        "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip


class Token(NamedTuple):
    kind: str
    """ident, literal, op, end."""
    text: str
    value: Any
    at: int


_STRING = r"""(?:[bB]?[rR]?|[rR][bB])(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}"""
_TOKEN = re.compile(
    r"(?P<space>[ \t\n\r\f]+|//[^\n]*)"
    rf"|(?P<string>{_STRING}|\"(?:\\.|[^\"\\\n\r])*\"|'(?:\\.|[^'\\\n\r])*'))"
    r"|(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<int>(?:0x[0-9a-fA-F]+|\d+)[uU]?)"
    r"|(?P<ident>[_a-zA-Z][_a-zA-Z0-9]*)"
    r"|(?P<escaped>`[a-zA-Z0-9_./ -]+`)"
    r"|(?P<op>\.\?|\[\?|&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}])"
)
_RAW_STRING = re.compile(r"(?P<prefix>[bBrR]*)(?P<quote>\"{3}|'{3}|\"|')(?P<body>[\s\S]*)(?P=quote)")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))"
)
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_WORDS = {"true": True, "false": False, "null": None}


def tokens(source: str) -> list[Token]:
    """The tokens of an expression, the last one of kind end.

    Raises:
        CompileError: there is something that is no token.
    """
    found, at = [], 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise CompileError(source, [(at, f"Syntax error: token recognition error at: {source[at]!r}")])
        if match.lastgroup != "space":
            found.append(_token(match, source))
        at = match.end()
    found.append(Token("end", "<EOF>", None, len(source)))
    return found


def _token(match: "re.Match[str]", source: str) -> Token:
    text, at = match.group(), match.start()
    match match.lastgroup:
        case "string":
            return Token("literal", text, _text(text, source, at), at)
        case "float":
            return Token("literal", text, float(text), at)
        case "int":
            return Token("literal", text, _integer(text), at)
        case "ident" if text in _WORDS:
            return Token("literal", text, _WORDS[text], at)
        case "escaped":
            return Token("escaped", text[1:-1], None, at)
    return Token(match.lastgroup or "", text, None, at)


def _integer(text: str) -> int:
    """A number beyond its range stays for the parser, which knows of a sign before it."""
    digits = text.rstrip("uU")
    number = int(digits, 16 if digits.startswith("0x") else 10) if len(digits) < 40 else 1 << 70
    return Uint(number) if text[-1] in "uU" else number


def _text(text: str, source: str, at: int) -> str | bytes:
    parts = _RAW_STRING.fullmatch(text)
    assert parts is not None
    prefix, body = parts["prefix"].lower(), parts["body"]
    if "r" not in prefix:
        try:
            return _unescaped(body, binary="b" in prefix)
        except ValueError as error:
            raise CompileError(source, [(at, f"Syntax error: {error}")]) from error
    return body.encode() if "b" in prefix else body


def _unescaped(body: str, *, binary: bool) -> str | bytes:
    out = bytearray()
    at = 0
    for match in _ESCAPE.finditer(body):
        out += body[at : match.start()].encode("utf-8", "surrogatepass")
        at = match.end()
        code = match[1] or match[2] or match[3] or match[4]
        number = int(code, 16) if code else int(match[5], 8) if match[5] else -1
        if number < 0:
            if match[6] not in _SIMPLE:
                raise ValueError(f"invalid escape sequence: {match[0]}")
            out += _SIMPLE[match[6]].encode()
        elif binary and not (match[3] or match[4]):
            out.append(number)
        else:
            out += chr(number).encode("utf-8", "surrogatepass")
    out += body[at:].encode("utf-8", "surrogatepass")
    return bytes(out) if binary else out.decode("utf-8")
