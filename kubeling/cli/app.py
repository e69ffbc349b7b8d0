"""Puts the subcommands together and turns what goes wrong in them into a sentence and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from kubeling.cli import (
    backup,
    clean,
    completion,
    console,
    down,
    image,
    kubeconfig,
    logs,
    restore,
    status,
    up,
    version,
)
from kubeling.cli.completion import COMPLETION_VARIABLE
from kubeling.cluster.errors import ClusterError, UsageError

app = typer.Typer(
    name="kubeling",
    help="A light Kubernetes: the real API, real containers, one command.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no cluster is running, 130 interrupted.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    up.up,
    down.down,
    status.status,
    logs.logs,
    kubeconfig.kubeconfig,
    backup.backup,
    restore.restore,
    clean.clean,
    version.version,
    completion.completion,
):
    app.command()(command)
app.add_typer(image.app, name="image")


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", metavar="", help="Print the versions, as `kubeling version` does.")
    ] = False,
) -> None:
    if show_version:
        version.version()
        raise typer.Exit


def run(arguments: Sequence[str]) -> int:
    """The exit code of the command line."""
    _prepare_completion()
    try:
        result = get_command(app).main(list(arguments), prog_name="kubeling", standalone_mode=False)
    except ClusterError as error:
        console.fail(error)
        return error.exit_code
    except typer.TyperException as error:
        if error.format_message():  # empty: the help has been printed instead
            console.fail(_usage_error(error))
        return error.exit_code
    except typer.Abort:
        return 130
    except BrokenPipeError:
        return _quiet_exit()
    return result if isinstance(result, int) else 0


def _usage_error(error: typer.TyperException) -> UsageError:
    """In one line, and without the words of the library that checks the values."""
    message = " ".join(error.format_message().split()).rstrip(".").replace(": Value error, ", ": ")
    context = getattr(error, "ctx", None)
    return UsageError(message, hint=f"see `{context.command_path if context else 'kubeling'} --help`")


def _prepare_completion() -> None:
    """Typer learns about shells only for the options that `kubeling completion` replaces."""
    if COMPLETION_VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()


def _quiet_exit() -> int:
    """Whoever read our output has had enough; Python must not complain when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
