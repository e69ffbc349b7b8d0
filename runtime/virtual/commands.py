"""What the simplest commands would do, so that manifests with them behave: how long, and how they end.

Known are echo, printf, sleep, exit, true, false, `:`, test and `[`, and of the shell `sh -c` with lists of
those (`;`, `&&`, `||`, new lines) and variables. Whatever else a container is to run goes on for ever.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FOREVER = float("inf")

_SHELLS = {"sh", "bash", "ash", "dash"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Run:
    """What becomes of a command: it ends after so many seconds, or never."""

    seconds: float = FOREVER
    exit_code: int = 0
    output: str = ""


def run_of(words: Sequence[str], env: Mapping[str, str]) -> Run:
    """What a container's command and arguments, together, would do."""
    if not words:
        return Run()
    program = words[0].rpartition("/")[2]
    if program in _SHELLS and len(words) > 2 and re.fullmatch(r"-[a-z]*c[a-z]*", words[1]):
        return _Shell(env).run(words[2])
    return _command(list(words)) or Run()


class _Shell:
    """A script of simple commands; at the first one that is not known it stays for ever."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._output = ""
        self._seconds = 0.0
        self._code = 0

    def run(self, script: str) -> Run:
        for operator, words in _steps(script):
            if (operator == "&&" and self._code) or (operator == "||" and not self._code):
                continue
            if not self._step([self._expanded(word) for word in words]):
                return Run(FOREVER, 0, self._output)
            if words[0] in ("exit", "exec"):
                break
        return Run(self._seconds, self._code, self._output)

    def _step(self, words: list[str]) -> bool:
        """Whether it came to its end."""
        if words[0] == "exec":
            words = words[1:]
        done = _command(words, last=self._code)
        if done is None:
            return False
        self._output += done.output
        self._seconds += done.seconds
        self._code = done.exit_code
        return done.seconds != FOREVER

    def _expanded(self, word: str) -> str:
        return _VARIABLE.sub(lambda found: self._env.get(found[1] or found[2], ""), word)


def _steps(script: str) -> list[tuple[str, list[str]]]:
    """The simple commands, each with what stands before it; an unknown one where the script is not simple."""
    try:
        tokens = shlex.shlex(script.replace("\n", " ; "), posix=True, punctuation_chars=";&|<>()")
        tokens.whitespace_split = True
        words = list(tokens)
    except ValueError:
        return [(";", ["?"])]
    steps: list[tuple[str, list[str]]] = [(";", [])]
    for word in words:
        if word and not set(word) - set(";&|<>()"):
            simple = word in (";", ";;", "&&", "||")
            steps.append((word if word in ("&&", "||") else ";", [] if simple else ["?"]))
        else:
            steps[-1][1].append(word)
    return [step for step in steps if step[1]]


def _command(words: list[str], *, last: int = 0) -> Run | None:
    """None for a command that is not known."""
    program, rest = (words[0].rpartition("/")[2], words[1:]) if words else ("", [])
    match program:
        case "true" | ":":
            return Run(0)
        case "false":
            return Run(0, 1)
        case "echo":
            return Run(0, 0, " ".join(rest) + "\n")
        case "printf":
            return Run(0, 0, rest[0].replace("\\n", "\n") if rest else "")
        case "exit":
            return Run(0, int(rest[0]) & 255 if rest and rest[0].lstrip("-").isdecimal() else last)
        case "sleep":
            return Run(_sleep(rest))
        case "test" | "[":
            return _test(rest[:-1] if program == "[" and rest[-1:] == ["]"] else rest)
    return None


def _sleep(arguments: list[str]) -> float:
    total = 0.0
    for argument in arguments:
        found = _DURATION.fullmatch(argument)
        if found is None:
            return FOREVER
        total += float(found[1]) * _UNITS[found[2]]
    return total


def _test(words: list[str]) -> Run | None:
    """Comparisons of texts and numbers; nothing about files."""
    match words:
        case [a, "=" | "==", b]:
            return Run(0, int(a != b))
        case [a, "!=", b]:
            return Run(0, int(a == b))
        case ["-n", a] | [a]:
            return Run(0, int(not a))
        case ["-z", a]:
            return Run(0, int(bool(a)))
        case [a, operator, b] if operator in _COMPARISONS and _is_number(a) and _is_number(b):
            return Run(0, int(not _COMPARISONS[operator](int(a), int(b))))
    return None


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdecimal()
