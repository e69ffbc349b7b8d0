"""`python -m kubeling` is the `kubeling` command."""

from kubeling.cli import main

main()
