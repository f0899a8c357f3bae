"""`python -m flashq` is the `flashq` command."""

from flashq.cli import main

main(prog_name="flashq")
