"""Runs CWL tools in one process of cwltool, which takes a second to start. Reads and writes JSON.

Standard input: a list of lists of words, each those of one command line of cwltool. Standard output: a list of
`[exit status, log]`.
"""

import io
import json
import logging
import sys

import cwltool.main


def main() -> None:
    answers = []
    for words in json.load(sys.stdin):
        log = io.StringIO()
        status = cwltool.main.main(
            ["--no-container", "--disable-color", *words],
            stdout=io.StringIO(),
            stderr=log,
            logger_handler=logging.StreamHandler(log),
        )
        answers.append([status, log.getvalue()])
    json.dump(answers, sys.stdout)


main()
