"""`flashq completion`: what a shell needs to complete commands, options and names of queues."""

import json

import click
from click.shell_completion import get_completion_class

from flashq.cli.json_option import json_option

VARIABLE = "_FLASHQ_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion", context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(SHELLS))
@json_option()
def command(shell: str, as_json: bool) -> None:
    """Print the completion script for SHELL.

    \b
    bash: flashq completion bash > ~/.local/share/bash-completion/completions/flashq
    zsh:  flashq completion zsh > ~/.zfunc/_flashq     (a directory of $fpath)
    fish: flashq completion fish > ~/.config/fish/completions/flashq.fish

    Names of queues come from the server of --url or FLASHQ_URL, if it answers within half a second.
    """
    from flashq.cli import main

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(main, {}, "flashq", VARIABLE).source()
    click.echo(json.dumps({"shell": shell, "script": script}) if as_json else script)
