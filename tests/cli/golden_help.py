"""The expected output of `--help` for every command, 80 columns wide. `make accept` writes the files again."""

from pathlib import Path

from click.testing import CliRunner

from registry.cli import COMMANDS, program

FOLDER = Path(__file__).with_name("help")
PROGRAM = "registry"


def help_of(name: str) -> str:
    """What `registry NAME --help` prints; `registry` is the program itself."""
    words = ["--help"] if name == PROGRAM else [name, "--help"]
    result = CliRunner().invoke(program, words, prog_name=PROGRAM, terminal_width=80, color=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def golden_file(name: str) -> Path:
    """The file with the expected output."""
    return FOLDER / f"{name}.txt"


def main() -> None:
    """Write all files, and remove those of commands that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.txt"):
        file.unlink()
    for name in (PROGRAM, *COMMANDS):
        golden_file(name).write_text(help_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()
