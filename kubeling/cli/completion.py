"""`kubeling completion`: prints what a shell needs to complete this command."""

from enum import StrEnum
from typing import Annotated

import typer

from kubeling.cli import console

COMPLETION_VARIABLE = "_KUBELING_COMPLETE"


class Shell(StrEnum):
    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Your shell.")]) -> None:
    """Print a completion script.

    For bash: source <(kubeling completion bash)
    """
    from typer._completion_shared import get_completion_script

    console.say(
        get_completion_script(prog_name="kubeling", complete_var=COMPLETION_VARIABLE, shell=shell.value)
    )
