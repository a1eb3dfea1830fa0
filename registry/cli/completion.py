"""`registry completion`: shell completion of commands, options, names, kinds and rules."""

import click

from registry.cli.terminal import write_text


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, options, names of definitions, kinds and ids of rules. Load it in the start-up file of the
    shell: ~/.bashrc, ~/.zshrc (after compinit) or ~/.config/fish/config.fish.

    \b
    Examples:
      eval "$(registry completion bash)"
      eval "$(registry completion zsh)"
      registry completion fish | source
    """
    from click.shell_completion import get_completion_class

    program = click.get_current_context().find_root()
    completion = get_completion_class(shell)
    assert completion is not None
    script = completion(program.command, {}, "registry", "_REGISTRY_COMPLETE").source()
    write_text(f"{script.rstrip()}\n")
