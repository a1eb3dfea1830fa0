"""Commands of Compose and Kubernetes that start a real program through `registry-run`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from registry.exchange import compose, kubernetes
from tests.exchange.test_compose import APPLICATION, FILES, interpolated
from tests.exchange.test_kubernetes import expanded, variables_of
from tests.exchange.yaml_readers import read_yaml
from tests.support.hostile_text import HOSTILE, exportable
from tests.support.waiting import PATIENCE_S

SCRIPT = Path(compose.__file__).parent / "registry-run"
# Writes its arguments, its variable V and the message, in the file that the first argument names, to the second.
PROGRAM = """\
import json, os, pathlib, sys
message, answer, *others = sys.argv[1:]
seen = [others, os.environ["V"], pathlib.Path(message).read_text(), pathlib.Path(message).suffix]
pathlib.Path(answer).write_text(json.dumps(seen))
"""


def job(folder: Path) -> Any:
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    return exportable(
        exec=sys.executable,
        argv=[str(folder / "program.py"), "${input_file}", "${output_file}", *HOSTILE],
        environment={"V": "".join(HOSTILE[:40])},
        timeout=PATIENCE_S,
        application=APPLICATION,
        **FILES,
    )


def answer_of(words: Sequence[str], variables: Mapping[str, str], message: str) -> str:
    done = subprocess.run(
        [SCRIPT, *words],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **variables},
        input=message,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_service_of_compose_passes_messages_on_standard_streams(tmp_path: Path) -> None:
    (service,) = interpolated(read_yaml(compose.EXPORTER.export(job(tmp_path)).text)["services"]).values()
    words = [*service["entrypoint"][1:], *service["command"]]
    answer = answer_of(words, service["environment"], "the message\n")
    assert json.loads(answer) == [list(HOSTILE), "".join(HOSTILE[:40]), "the message\n", ".wav"]


def test_a_job_of_kubernetes_passes_messages_in_files(tmp_path: Path) -> None:
    manifest = read_yaml(kubernetes.EXPORTER.export(job(tmp_path)).text)
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    variables = variables_of(container)
    words = [expanded(word, variables) for word in (*container["command"][1:], *container["args"])]
    (tmp_path / "input").write_text("the message\n", encoding="utf-8")
    # The folder of the volume.
    variables |= {
        key: text.replace("/messages/", f"{tmp_path}/") for key, text in variables.items() if key != "V"
    }
    assert answer_of(words, variables, "") == ""
    answer = (tmp_path / "output").read_text(encoding="utf-8")
    assert json.loads(answer) == [list(HOSTILE), "".join(HOSTILE[:40]), "the message\n", ".wav"]
