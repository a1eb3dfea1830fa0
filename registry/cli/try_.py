"""`registry try`: run definitions on messages, and their examples as tests."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.completers import complete_definitions
from registry.cli.interrupts import interrupted_by_termination
from registry.cli.options import format_choice, kind_option, registry_option, source_option
from registry.cli.terminal import err, find_root, out, show_problems, write_bytes, write_json, write_text
from registry.errors import ProblemsError, RefusedError, UsageError

if TYPE_CHECKING:
    from registry.execution.examples import ExampleResult
    from registry.execution.launcher import Launcher
    from registry.execution.recording import RecordedInput
    from registry.execution.runner import Runner, RunResult
    from registry.load.source import Source
    from registry.model.definition import Definition

_LARGEST_INPUT_BYTES = 256 * 1024 * 1024


@click.command("try")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_definitions)
@registry_option
@kind_option
@source_option
@click.option("--all", "everything", is_flag=True, help="Run the examples of all definitions.")
@click.option(
    "--input",
    "input_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Run the definition on the message in this file (-: standard input) instead of its examples.",
)
@click.option(
    "--output",
    "output_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --input: write the output message to this file instead of standard output.",
)
@click.option(
    "--save-example",
    is_flag=True,
    help="Add the run to the examples of the definition. Long messages become files below samples/.",
)
@click.option(
    "--title", metavar="TEXT", help="With --save-example: title of the example. Default: name of the file."
)
@click.option(
    "--no-sandbox",
    is_flag=True,
    help="Start the programs directly. They can read, change and send everything that you can.",
)
@click.option(
    "--on",
    "engine",
    type=click.Choice(("slurm",)),
    help="Run the programs on a cluster, with your rights there, instead of in the sandbox.",
)
@click.option(
    "--read",
    "readable",
    multiple=True,
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="File or folder that programs can also read in the sandbox; can be repeated.",
)
@click.option(
    "--limit",
    "limit_s",
    type=click.FloatRange(0.1),
    default=60.0,
    metavar="SECONDS",
    help="Longest time of a run of a service, and of a definition without `timeout`.",
)
@format_choice("text", "json", "junit")
def command(
    names: tuple[str, ...],
    registry: Path | None,
    kind: str | None,
    source: str,
    everything: bool,
    input_path: Path | None,
    output_path: Path | None,
    save_example: bool,
    title: str | None,
    no_sandbox: bool,
    engine: str | None,
    readable: tuple[Path, ...],
    limit_s: float,
    format_: str,
) -> None:
    """Run definitions, with their examples as tests.

    A program runs as a process dispatcher runs it: with the adapters, environment, working directory and time limit of
    its definition. It runs in a sandbox of bubblewrap: it has no network, an empty /tmp, and can only read the system's
    programs and libraries, the folder of the executable and its working directory. A service with `stream` adapters
    gets the messages of the example on one stream; it is stopped when it has been silent for a second.

    With --on slurm, each run is a job step of Slurm, in an allocation of its own. Services are skipped. The node reads
    messages in files and writes answers in files in a folder below TMPDIR, which all nodes must share.

    A definition whose program or folder is not on this host, or whose adapters need another machine, is skipped. With
    --save-example the program runs twice: of an output that differs from run to run, only a size is recorded.

    \b
    Exit codes:
      0  all examples passed or were skipped; with --input, the run succeeded
      1  an example failed; with --input, the run failed
      2  wrong use, or with --input, the definition cannot run on this host
      3  refused: there is no sandbox here, and --no-sandbox is not given

    \b
    Examples:
      registry try text/remove-x
      registry try --all --format junit
      registry try text/remove-x --input message.txt
      registry try text/remove-x --on slurm
      registry try text/remove-x --input message.txt --save-example --title "three letters"
    """
    if bool(names) == everything:
        raise UsageError("name definitions, or use --all", "as in registry try text/remove-x")
    has_message = input_path is not None or save_example
    _refuse_misuse(names, source, format_, has_message=has_message, title=title, output_path=output_path)
    root = find_root(registry)
    opened, definitions = _selected(root, source, names, kind)
    if save_example and source != "worktree":
        raise UsageError("--save-example changes the work tree, not a commit", "omit --source")
    launcher = _launcher(no_sandbox=no_sandbox) if engine is None else _cluster(no_sandbox=no_sandbox)
    runner = _runner(launcher, readable, limit_s)
    with interrupted_by_termination():
        if not has_message:
            _try_examples(definitions, opened, runner, format_, everything=everything)
            return
        message = _message(root, input_path)
        run = _run_once(definitions[0], message, runner, output_path, format_)
        if save_example:
            _save(root, definitions[0], message, runner, run, title)
    if not run.has_succeeded:
        sys.exit(1)


def _refuse_misuse(
    names: Sequence[str],
    source: str,
    format_: str,
    *,
    has_message: bool,
    title: str | None,
    output_path: Path | None,
) -> None:
    """Raise UsageError for options that do not belong together."""
    if has_message and len(names) != 1:
        raise UsageError("--input and --save-example are for one definition", "name it")
    if has_message and format_ == "junit":
        raise UsageError("--format junit is for examples", "omit --input")
    if output_path is not None and not has_message:
        raise UsageError("--output needs --input", "an example has several expectations, not one output")
    if title is not None and not has_message:
        raise UsageError("--title needs --save-example")


def _launcher(*, no_sandbox: bool) -> "Launcher":
    """Return the sandbox, or what starts programs directly. Raises RefusedError if there is no sandbox."""
    from registry.execution.bubblewrap import Bubblewrap
    from registry.execution.launcher import DirectLauncher

    if no_sandbox:
        return DirectLauncher()
    sandbox = Bubblewrap()
    if sandbox.unusable_because:
        raise RefusedError(
            f"there is no sandbox for the programs here: {sandbox.unusable_because}",
            "install bubblewrap (Linux), or use --no-sandbox if you trust the programs",
        )
    return sandbox


def _cluster(*, no_sandbox: bool) -> "Launcher":
    """Return the cluster of Slurm. Raises UsageError if there is none."""
    from registry.execution.slurm import SlurmCluster

    if no_sandbox:
        raise UsageError("--on slurm has no sandbox anyway", "omit --no-sandbox")
    cluster = SlurmCluster()
    if cluster.unusable_because:
        raise UsageError(f"there is no cluster with Slurm: {cluster.unusable_because}")
    return cluster


def _runner(launcher: "Launcher", readable: Sequence[Path], limit_s: float) -> "Runner":
    from registry.execution.runner import Runner
    from registry.execution.running import Limits
    from registry.load.settings import environment_of_runner

    shown = tuple(str(path.resolve()) for path in readable)
    return Runner(launcher, environment_of_runner(), Limits(seconds=limit_s), shown)


def _selected(
    root: Path, revision: str, names: Sequence[str], kind: str | None
) -> "tuple[Source, list[Definition]]":
    """Return the named definitions, or all that can be run.

    Raises UsageError for a name that no definition has, and for one that has no program; ProblemsError if
    files have errors.
    """
    from registry.cli.lookup import load_checked, load_found
    from registry.load.source import open_source
    from registry.model.definition import Definition
    from registry.model.problem import has_errors

    opened = open_source(root, revision)
    if not names:
        checked = load_checked(root, revision)
        if has_errors(checked.problems):
            raise ProblemsError(checked.problems, opened.read)
        kinds = checked.kinds.using("process")
        return opened, [one for one in checked.loaded.definitions if one.kind in kinds]
    found: list[Definition] = []
    for name in names:
        snapshot, one = load_found(root, revision, name, kind)
        if not isinstance(one, Definition):
            raise UsageError(f"{one.name} was deleted", "`registry show` shows its last content")
        if one.kind not in snapshot.kinds.using("process"):
            raise UsageError(f"{one.kind}/{one.name} cannot be run", "it has no program")
        found.append(one)
    _refuse_errors(opened, found)
    return opened, found


def _refuse_errors(source: "Source", definitions: "Sequence[Definition]") -> None:
    """Raise ProblemsError if the file of one of the definitions has errors."""
    from registry.model.problem import has_errors
    from registry.pipeline import check_source

    paths = frozenset(one.path for one in definitions)
    problems = [one for one in check_source(source, only=paths).problems if one.span.path in paths]
    if has_errors(problems):
        raise ProblemsError(problems, source.read)


def _try_examples(
    definitions: "Sequence[Definition]", source: "Source", runner: "Runner", format_: str, *, everything: bool
) -> None:
    """Run all examples and report them. Exits with 1 if one failed."""
    from registry.execution.examples import ExampleOutcome, examples_of

    some = [one for one in definitions if examples_of(one)]
    without = [one for one in definitions if not examples_of(one)]
    if without and not everything:
        raise UsageError(
            f"{without[0].name} has no examples",
            f"registry try {without[0].name} --input FILE --save-example adds one",
        )
    results = list(_results(some, source, runner, is_shown=format_ == "text"))
    _report(results, runner.launcher.name, format_)
    if any(one.outcome is ExampleOutcome.FAILED for one in results):
        sys.exit(1)


def _results(
    definitions: "Sequence[Definition]", source: "Source", runner: "Runner", *, is_shown: bool
) -> "Iterator[ExampleResult]":
    """Yield the result of each example, and print it."""
    from registry.execution.examples import sample_reader, try_examples
    from registry.reports.trials.text import result_lines

    for definition in definitions:
        for result in try_examples(definition, sample_reader(source), runner):
            if is_shown:
                out.file.write(result_lines(result, color=out.has_color))
                out.file.flush()
            yield result


def _report(results: "Sequence[ExampleResult]", how: str, format_: str) -> None:
    if format_ == "json":
        from registry.reports.trials.json import results_body

        write_json(results_body(results, how))
    elif format_ == "junit":
        from registry.reports.trials.junit import results_report

        write_text(results_report(results))
    elif results:
        from registry.reports.trials.text import results_summary

        out.file.write(f"\n{results_summary(results, how)}")
    else:
        out.print("No definition has examples.")


def _message(root: Path, path: Path | None) -> "RecordedInput":
    """Return the message in a file. Raises UsageError if it cannot be read."""
    from registry.execution.recording import RecordedInput
    from registry.model.definition import SAMPLES_FOLDER

    if path is None:
        return RecordedInput(b"", "")
    if str(path) == "-":
        return RecordedInput(sys.stdin.buffer.read(_LARGEST_INPUT_BYTES), "input")
    try:
        with path.open("rb") as file:
            message = file.read(_LARGEST_INPUT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(message) > _LARGEST_INPUT_BYTES:
        raise UsageError(f"{path} is larger than 256 MiB", "use a smaller message")
    samples = (root / SAMPLES_FOLDER).resolve()
    there = path.resolve()
    is_sample = there.is_relative_to(samples)
    return RecordedInput(
        message, path.name, f"{SAMPLES_FOLDER}/{there.relative_to(samples).as_posix()}" if is_sample else ""
    )


def _run_once(
    definition: "Definition", source: "RecordedInput", runner: "Runner", path: Path | None, format_: str
) -> "RunResult":
    """Run a definition on one message, and print or save its output. Raises UsageError if it cannot run here."""
    from registry.execution.examples import failure_of
    from registry.execution.runner import run_definition
    from registry.files.atomic_write import require_output_place, write_output
    from registry.reports.trials.json import run_body

    if path is not None:
        require_output_place(path)
    run = run_definition(definition.inside, source.message, runner)
    if run.obstacle:
        raise UsageError(f"{definition.name} cannot be run on this host: {run.obstacle}")
    if format_ == "json":
        write_json(run_body(run, runner.launcher.name))
    elif run.output is not None and path is None:
        write_bytes(run.output)
    if run.output is not None and path is not None:
        write_output(path, run.output)
    if format_ != "json":
        err.print_lines(run.errors.decode("utf-8", "replace").rstrip("\n")) if run.errors else None
    for note in run.notes:
        err.print(f"note: {note}", markup=False)
    failure = failure_of(run)
    if failure is not None:
        err.print(f"{definition.name} failed: {failure.message}; it has no output", markup=False)
    return run


def _save(
    root: Path,
    definition: "Definition",
    source: "RecordedInput",
    runner: "Runner",
    first: "RunResult",
    title: str | None,
) -> None:
    """Add the run to the examples of the definition, after a second run that shows whether it is the same."""
    from registry.execution.recording import add_example, record
    from registry.execution.runner import run_definition
    from registry.load.source import open_source
    from registry.pipeline import check_source

    second = run_definition(definition.inside, source.message, runner)
    if second.has_succeeded != first.has_succeeded:
        raise UsageError(
            f"{definition.name} fails now and then, so its run is not an example", "nothing was written"
        )
    recording = record(root, definition, title or source.file_name or "no input", source, (first, second))
    add_example(root, definition, recording)
    if first.output != second.output:
        err.print(
            "note: the output differs from run to run, so only its size was recorded; "
            "`output_contains` can say more",
            markup=False,
        )
    files = "".join(f", {path}" for path in recording.files)
    err.print(f"Added an example to {definition.path}{files}.", markup=False)
    opened = open_source(root)
    found = check_source(opened, only={definition.path}).problems
    if problems := [
        one for one in found if one.span.path == definition.path and one.pointer.startswith("/examples")
    ]:
        show_problems(problems, opened.read)
