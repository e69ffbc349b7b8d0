"""What can be wrong with an expression, or with its evaluation.

ValueError
└── CelError
    ├── CompileError     the text is not an expression, or its types do not fit; has upstream's report
    └── EvaluationError  no such key, no such overload, division by zero, ...
        └── CostExceeded   it would take more work than it may
"""


class CelError(ValueError):
    pass


class CompileError(CelError):
    """All errors of an expression: (offset, message) pairs."""

    def __init__(self, source: str, errors: list[tuple[int, str]]) -> None:
        self.errors = errors
        super().__init__("\n".join(_shown(source, offset, message) for offset, message in sorted(errors)))


class EvaluationError(CelError):
    pass


class CostExceeded(EvaluationError):
    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def no_such_overload() -> EvaluationError:
    return EvaluationError("no such overload")


def _shown(source: str, offset: int, message: str) -> str:
    """An error with its line and a mark under the place, as cel-go prints it."""
    before = source[:offset]
    line = before.count("\n") + 1
    column = offset - (before.rfind("\n") + 1)
    text = source.split("\n")[line - 1] if line <= source.count("\n") + 1 else ""
    return f"ERROR: <input>:{line}:{column + 1}: {message}\n | {text}\n | {'.' * column}^"
