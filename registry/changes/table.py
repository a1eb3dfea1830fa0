"""The table of changes: the level, the party that must act first and the reason for each kind of change.

Breaking: a party must act first, otherwise working calls fail or get output in another format. Risky:
behavior may change, and the registry cannot know. Safe: neither. Accepting more input is safe, accepting less
is breaking; for output it is the other way round. A row has one level: where a change can go two ways there
are two rows.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a change."""

    BREAKING = "breaking"
    RISKY = "risky"
    SAFE = "safe"

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return ("breaking", "risky", "safe").index(self.value)


class Party(StrEnum):
    """The party that must act first."""

    START = "START"
    FEED = "FEED"
    YIELD = "YIELD"
    RUN = "RUN"
    FIND = "FIND"

    @property
    def people(self) -> str:
        """A description of the party."""
        return _PEOPLE[self.value]


_PEOPLE = {
    "START": "hosts: files, environment, application",
    "FEED": "clients that send messages",
    "YIELD": "clients that read the output",
    "RUN": "operators: limits, capacity, cost",
    "FIND": "clients that store an id or a name",
}
_START, _FEED, _YIELD, _RUN, _FIND = (
    (Party.START,),
    (Party.FEED,),
    (Party.YIELD,),
    (Party.RUN,),
    (Party.FIND,),
)
_BOTH, _ALL = (Party.FEED, Party.YIELD), tuple(Party)
_BREAKING, _RISKY, _SAFE = Level.BREAKING, Level.RISKY, Level.SAFE


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """One kind of change.

    `reason` states its consequence, `action` what the party must do before the merge.
    """

    id: str
    title: str
    level: Level
    parties: tuple[Party, ...]
    reason: str
    action: str = ""


_ROWS = (
    # The definition as a whole
    ChangeRule(
        "C101",
        "definition removed",
        _BREAKING,
        _FIND,
        "stored ids return a tombstone; operations that use it stop",
        "switch to another definition",
    ),
    ChangeRule(
        "C102",
        "definition renamed, same id",
        _RISKY,
        _FIND,
        "ids stay valid; the URL by name changes",
        "use the new name",
    ),
    ChangeRule(
        "C103",
        "id changed",
        _BREAKING,
        _FIND,
        "a stored id would refer to another definition; the checker rejects it",
        "restore the old id",
    ),
    ChangeRule("C104", "definition added or restored", _SAFE, (), "nothing uses it yet"),
    # Starting
    ChangeRule(
        "C110",
        "program changed",
        _BREAKING,
        _START,
        "it must exist on every host of the application first",
        "install it",
    ),
    ChangeRule(
        "C111",
        "program moved to another folder",
        _BREAKING,
        _START,
        "it must exist there on every host first",
        "install it there",
    ),
    ChangeRule(
        "C112",
        "program found through a search path",
        _RISKY,
        _START,
        "the program now depends on PATH or the working directory",
        "check which program that is",
    ),
    ChangeRule(
        "C113",
        "program in a world-writable folder",
        _BREAKING,
        _START,
        "every user of the host can replace it",
        "install it in a protected folder",
    ),
    ChangeRule(
        "C114",
        "program is a shell",
        _RISKY,
        _START,
        "messages or arguments may be interpreted as commands",
        "check which input can reach it",
    ),
    ChangeRule(
        "C120",
        "application changed",
        _BREAKING,
        _START,
        "it is looked up by name when a machine is created",
        "create machines of the new application",
    ),
    ChangeRule(
        "C121",
        "application site removed",
        _BREAKING,
        _RUN,
        "nothing can be started there",
        "switch to another site",
    ),
    ChangeRule(
        "C122",
        "machine configuration changed",
        _RISKY,
        _START,
        "new machines differ from running ones",
        "test one",
    ),
    ChangeRule(
        "C123",
        "contextualization method changed",
        _BREAKING,
        _START,
        "machines are set up differently",
        "prepare the new method",
    ),
    ChangeRule("C124", "application site added", _SAFE, (), "nothing was started there before"),
    # Running
    ChangeRule(
        "C130",
        "process type changed",
        _BREAKING,
        _BOTH,
        "framing and lifetime of the process change",
        "adapt how messages are sent and read",
    ),
    ChangeRule("C131", "default made explicit or implicit", _SAFE, (), "the meaning is the same"),
    ChangeRule(
        "C140",
        "timeout lowered or added",
        _BREAKING,
        _RUN,
        "runs that take longer fail",
        "check how long runs take",
    ),
    ChangeRule("C141", "timeout raised to at most twice", _SAFE, (), "runs that finished in time still do"),
    ChangeRule(
        "C142",
        "timeout raised to more than twice, or removed",
        _RISKY,
        _RUN,
        "a run that hangs blocks its slot longer",
        "check that nothing waits for it",
    ),
    ChangeRule(
        "C150", "working directory changed", _RISKY, _START, "it must exist on every host", "create it"
    ),
    ChangeRule(
        "C151",
        "working directory of relative paths changed",
        _BREAKING,
        _START,
        "arguments or adapters use paths relative to it",
        "move the files",
    ),
    ChangeRule(
        "C160",
        "variable removed",
        _BREAKING,
        _START,
        "the program may need it",
        "check that it runs without it",
    ),
    ChangeRule("C161", "variable added", _SAFE, (), "programs ignore unknown variables"),
    ChangeRule(
        "C162",
        "variable value changed",
        _RISKY,
        _START,
        "the program may behave differently",
        "check its behavior",
    ),
    ChangeRule(
        "C163",
        "variable required from the host",
        _BREAKING,
        _START,
        "without it the process does not start",
        "set it on every host",
    ),
    ChangeRule(
        "C164",
        "credential, or a literal value for one, in the file",
        _BREAKING,
        _ALL,
        "it stays in the history, readable by everyone",
        "rotate it, and keep it out of the file",
    ),
    ChangeRule("C165", "credential removed", _RISKY, _ALL, "it is still in the history", "rotate it"),
    ChangeRule(
        "C166",
        "variable added that changes code loading",
        _RISKY,
        _START,
        "other code may be loaded",
        "check what is loaded",
    ),
    ChangeRule(
        "C170",
        "argument removed",
        _BREAKING,
        _START,
        "the program may need it or behave differently",
        "check that it runs without it",
    ),
    ChangeRule(
        "C171",
        "argument added or changed",
        _RISKY,
        _START,
        "the program may behave differently",
        "check its behavior",
    ),
    ChangeRule(
        "C172",
        "order of arguments changed",
        _RISKY,
        _START,
        "the order may matter to the program",
        "check its behavior",
    ),
    ChangeRule(
        "C173",
        "placeholder added or removed",
        _BREAKING,
        _BOTH,
        "messages reach the program differently",
        "adapt how messages are sent and read",
    ),
    # Messages
    ChangeRule(
        "C180",
        "adapter added, removed or changed in type",
        _BREAKING,
        _BOTH,
        "messages are passed differently",
        "adapt how messages are sent and read",
    ),
    ChangeRule(
        "C181",
        "message address changed",
        _BREAKING,
        _BOTH,
        "messages must be sent to, or read from, the new address",
        "use the new address",
    ),
    ChangeRule(
        "C182",
        "framing changed",
        _BREAKING,
        _BOTH,
        "message boundaries are marked differently",
        "use the new framing",
    ),
    ChangeRule(
        "C183",
        "fewer media types accepted, or other ones produced",
        _BREAKING,
        _BOTH,
        "messages may be rejected, or output may not be understood",
        "send and read the new media types",
    ),
    ChangeRule(
        "C184",
        "more media types accepted, or fewer produced",
        _SAFE,
        (),
        "messages are still accepted, and output types were known before",
    ),
    ChangeRule(
        "C185",
        "maximum input message size lowered",
        _BREAKING,
        _FEED,
        "larger messages are rejected",
        "stay below the limit",
    ),
    ChangeRule(
        "C186",
        "chunk size or request timeout changed",
        _RISKY,
        _RUN,
        "requests may be slower or time out sooner",
        "check that it is suitable",
    ),
    ChangeRule(
        "C187",
        "unknown adapter parameter changed",
        _RISKY,
        _BOTH,
        "the registry does not know its effect",
        "ask the owners",
    ),
    ChangeRule(
        "C188",
        "maximum output message size raised",
        _RISKY,
        _YIELD,
        "readers need room for larger messages",
        "raise their limits",
    ),
    ChangeRule("C189", "message size limit relaxed", _SAFE, (), "messages that fit before still fit"),
    ChangeRule("C200", "spelling of adapter parameters changed", _SAFE, (), "both spellings are valid"),
    ChangeRule(
        "C201",
        "message schema changed",
        _RISKY,
        _BOTH,
        "the registry does not know whether it accepts the same messages",
        "compare the two schemas",
    ),
    # Around it
    ChangeRule("C190", "deprecated", _RISKY, _FIND, "it will be removed", "plan a migration"),
    ChangeRule("C191", "moved to production", _SAFE, (), "it promises more than before"),
    ChangeRule(
        "C192", "sunset moved forward", _RISKY, _FIND, "there is less time to migrate", "adjust the plan"
    ),
    ChangeRule("C193", "documentation changed", _SAFE, (), "programs do not read it"),
    ChangeRule(
        "C194",
        "expected output of an example changed",
        _RISKY,
        _YIELD,
        "the output may change",
        "check whether you rely on it",
    ),
    ChangeRule(
        "C195",
        "moved to experimental",
        _RISKY,
        _FIND,
        "it promises less than before",
        "check whether that is enough",
    ),
    ChangeRule("C196", "removed after its sunset", _SAFE, _FIND, "it was announced, and the date has passed"),
    ChangeRule(
        "C197",
        "removed before its sunset",
        _RISKY,
        _FIND,
        "it was announced, but the date has not passed",
        "migrate now",
    ),
    ChangeRule(
        "C198",
        "unknown field changed",
        _RISKY,
        (),
        "the registry does not know its effect",
        "ask the owners",
    ),
    # Fields of kinds that only their schema describes
    ChangeRule(
        "C211",
        "field removed",
        _BREAKING,
        (),
        "clients that read it no longer find it",
        "change these clients first",
    ),
    ChangeRule(
        "C212",
        "field changed",
        _RISKY,
        (),
        "the registry does not know its effect",
        "ask the owners",
    ),
    ChangeRule("C213", "field added", _SAFE, (), "nothing reads it yet"),
    # The checks themselves
    ChangeRule(
        "C202",
        "setting relaxed",
        _RISKY,
        (),
        "later changes are checked with it",
        "confirm that this is intended",
    ),
    ChangeRule(
        "C203",
        "schema relaxed",
        _RISKY,
        (),
        "definitions that were rejected are accepted",
        "confirm that this is intended",
    ),
    ChangeRule(
        "C204",
        "template or asset changed",
        _RISKY,
        (),
        "every page of the catalog may change",
        "review the files",
    ),
    ChangeRule(
        "C205",
        "rule exception added",
        _RISKY,
        (),
        "findings of the rule are no longer reported there",
        "confirm that the reason is valid",
    ),
    ChangeRule(
        "C199",
        "custom key (x-…) changed",
        _RISKY,
        (),
        "the registry does not know its effect",
        "ask the owners",
    ),
)
TABLE = {row.id: row for row in _ROWS}
