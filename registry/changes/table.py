"""The table of changes: each kind of change with its level, who must act first, and the reason shown. The one place for it.

Breaking: somebody else must act first, or what ran yesterday would fail or answer differently in form. Risky: behaviour may
change, and the registry cannot know. Safe: neither. What loosens the input is safe and what tightens it is breaking; for the
output it is the other way round. A row has one level; where a change can go two ways there are two rows.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a change can break."""

    BREAKING = "breaking"
    RISKY = "risky"
    SAFE = "safe"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return ("breaking", "risky", "safe").index(self.value)


class Party(StrEnum):
    """Who must act first."""

    START = "START"
    FEED = "FEED"
    YIELD = "YIELD"
    RUN = "RUN"
    FIND = "FIND"

    @property
    def people(self) -> str:
        """Who that is."""
        return _PEOPLE[self.value]


_PEOPLE = {
    "START": "hosts: files, environment, application",
    "FEED": "those who send messages",
    "YIELD": "those who read the output",
    "RUN": "operators: limits, place, cost",
    "FIND": "clients that hold an id or a name",
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
    """One kind of change. `reason` says what follows from it, `action` what the party must do before the merge."""

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
        "stored ids answer with a tombstone; operations that use it stop",
        "move to another definition",
    ),
    ChangeRule(
        "C102",
        "definition renamed, same id",
        _RISKY,
        _FIND,
        "ids keep working; the address by name moves",
        "look for it under its new name",
    ),
    ChangeRule(
        "C103",
        "id changed",
        _BREAKING,
        _FIND,
        "a stored id would mean another definition; the checker refuses it",
        "put the old id back",
    ),
    ChangeRule("C104", "definition added or restored", _SAFE, (), "nothing used it yet"),
    # Starting
    ChangeRule(
        "C110",
        "another program",
        _BREAKING,
        _START,
        "it must exist on every host of the application first",
        "install it",
    ),
    ChangeRule(
        "C111",
        "the same program in another folder",
        _BREAKING,
        _START,
        "it must exist there on every host first",
        "install it there",
    ),
    ChangeRule(
        "C112",
        "a program that is looked up",
        _RISKY,
        _START,
        "which one runs now depends on PATH or the folder",
        "see which one that is",
    ),
    ChangeRule(
        "C113",
        "a program where others may write",
        _BREAKING,
        _START,
        "anybody on the host can put another in its place",
        "keep it in a folder of its own",
    ),
    ChangeRule(
        "C114",
        "a shell runs",
        _RISKY,
        _START,
        "what stands in messages or arguments may be read as commands",
        "see what can reach it",
    ),
    ChangeRule(
        "C120",
        "application changed",
        _BREAKING,
        _START,
        "it is looked up by name when a machine is made",
        "make machines of the other application",
    ),
    ChangeRule(
        "C121",
        "application lost a site",
        _BREAKING,
        _RUN,
        "nothing can be started there any more",
        "move to another site",
    ),
    ChangeRule(
        "C122",
        "what machines are made of changed",
        _RISKY,
        _START,
        "new machines differ from those that run",
        "try one",
    ),
    ChangeRule(
        "C123",
        "method of contextualization changed",
        _BREAKING,
        _START,
        "machines are set up in another way",
        "prepare for it",
    ),
    ChangeRule("C124", "application gained a site", _SAFE, (), "nothing was started there yet"),
    # Running
    ChangeRule(
        "C130",
        "single run or service",
        _BREAKING,
        _BOTH,
        "framing and life time of the process change",
        "send and read the other way",
    ),
    ChangeRule("C131", "default written out, or left to be understood", _SAFE, (), "it means the same"),
    ChangeRule(
        "C140",
        "time-out lowered, or added",
        _BREAKING,
        _RUN,
        "runs that take longer fail",
        "see how long runs take",
    ),
    ChangeRule("C141", "time-out raised up to twice", _SAFE, (), "runs that ended in time still do"),
    ChangeRule(
        "C142",
        "time-out raised more, or removed",
        _RISKY,
        _RUN,
        "a stuck run holds its place longer",
        "see that nothing waits for it",
    ),
    ChangeRule("C150", "folder to run in changed", _RISKY, _START, "it must exist on every host", "make it"),
    ChangeRule(
        "C151",
        "folder to run in changed under relative paths",
        _BREAKING,
        _START,
        "arguments or adapters name paths within it",
        "put the files there",
    ),
    ChangeRule(
        "C160", "variable removed", _BREAKING, _START, "the program may need it", "see what it does without"
    ),
    ChangeRule("C161", "variable added", _SAFE, (), "a program that did not know it takes no notice"),
    ChangeRule(
        "C162",
        "value of a variable changed",
        _RISKY,
        _START,
        "the program may act differently",
        "see what it does",
    ),
    ChangeRule(
        "C163",
        "the host must supply a variable",
        _BREAKING,
        _START,
        "without it the process is not started",
        "set it on every host",
    ),
    ChangeRule(
        "C164",
        "a credential, or a value for one, in the file",
        _BREAKING,
        _ALL,
        "it stays in history for everybody to read",
        "make a new one, and keep it out of the file",
    ),
    ChangeRule("C165", "a credential taken out", _RISKY, _ALL, "it is still in history", "make a new one"),
    ChangeRule(
        "C166",
        "variable added that changes how programs load",
        _RISKY,
        _START,
        "other code may be loaded",
        "see what is loaded",
    ),
    ChangeRule(
        "C170",
        "argument removed",
        _BREAKING,
        _START,
        "the program may do something else, or need it",
        "see what it does without",
    ),
    ChangeRule(
        "C171",
        "argument added or changed",
        _RISKY,
        _START,
        "the program may do something else",
        "see what it does",
    ),
    ChangeRule(
        "C172",
        "order of arguments changed",
        _RISKY,
        _START,
        "some programs care",
        "see whether this one does",
    ),
    ChangeRule(
        "C173",
        "placeholder added or removed",
        _BREAKING,
        _BOTH,
        "messages reach the program in another way",
        "send and read the other way",
    ),
    # Messages
    ChangeRule(
        "C180",
        "adapter added, removed, or of another type",
        _BREAKING,
        _BOTH,
        "messages travel in another way",
        "send and read the other way",
    ),
    ChangeRule(
        "C181",
        "address of messages changed",
        _BREAKING,
        _BOTH,
        "they must go to, or come from, the new place",
        "use the new address",
    ),
    ChangeRule(
        "C182",
        "framing changed",
        _BREAKING,
        _BOTH,
        "where a message ends is told in another way",
        "frame messages the new way",
    ),
    ChangeRule(
        "C183",
        "fewer forms taken, or other ones given",
        _BREAKING,
        _BOTH,
        "what is sent may not be taken, what comes may not be understood",
        "send and read the new form",
    ),
    ChangeRule(
        "C184",
        "more forms taken, or fewer given",
        _SAFE,
        (),
        "what was sent is still taken, what comes was known",
    ),
    ChangeRule(
        "C185",
        "largest message taken is smaller",
        _BREAKING,
        _FEED,
        "larger messages are refused",
        "keep below the limit",
    ),
    ChangeRule(
        "C186",
        "size of chunks or time for a request changed",
        _RISKY,
        _RUN,
        "slower, or given up sooner",
        "see that it suits",
    ),
    ChangeRule(
        "C187",
        "parameter of an adapter that the registry does not know",
        _RISKY,
        _BOTH,
        "what it does is not known here",
        "ask the owners",
    ),
    ChangeRule(
        "C188",
        "largest message given is larger",
        _RISKY,
        _YIELD,
        "who reads them must have room",
        "make room",
    ),
    ChangeRule("C189", "limit of messages loosened", _SAFE, (), "what fitted still fits"),
    ChangeRule(
        "C200", "parameters of an adapter spelled the other way", _SAFE, (), "both spellings are read"
    ),
    ChangeRule(
        "C201",
        "schema of messages changed",
        _RISKY,
        _BOTH,
        "whether it takes and gives the same is not known here",
        "compare the two schemas",
    ),
    # Around it
    ChangeRule("C190", "deprecated", _RISKY, _FIND, "it is going to be removed", "plan to move"),
    ChangeRule("C191", "in production (again)", _SAFE, (), "it promises more than before"),
    ChangeRule("C192", "sunset brought forward", _RISKY, _FIND, "there is less time to move", "plan anew"),
    ChangeRule("C193", "description for people", _SAFE, (), "programs do not read it"),
    ChangeRule(
        "C194",
        "an example's expected output changed",
        _RISKY,
        _YIELD,
        "it may answer differently",
        "see whether you rely on it",
    ),
    ChangeRule(
        "C195",
        "experimental (again)",
        _RISKY,
        _FIND,
        "it promises less than before",
        "see whether that is enough",
    ),
    ChangeRule("C196", "removed after its sunset", _SAFE, _FIND, "that was announced, and the time is over"),
    ChangeRule(
        "C197",
        "removed before its sunset",
        _RISKY,
        _FIND,
        "it was announced, but there was time left",
        "move now",
    ),
    ChangeRule(
        "C198",
        "field that the table does not know",
        _RISKY,
        (),
        "what it does is not known here",
        "ask the owners",
    ),
    # What changes are judged by
    ChangeRule(
        "C202",
        "setting loosened",
        _RISKY,
        (),
        "later changes are judged by it",
        "make sure that this is intended",
    ),
    ChangeRule(
        "C203",
        "schema loosened",
        _RISKY,
        (),
        "definitions that were refused are accepted",
        "make sure that this is intended",
    ),
    ChangeRule(
        "C204",
        "template or asset changed",
        _RISKY,
        (),
        "every page of the catalog may show something else",
        "read the files",
    ),
    ChangeRule(
        "C205",
        "exception from a rule added",
        _RISKY,
        (),
        "what the rule finds there is not reported",
        "make sure that the reason holds",
    ),
    ChangeRule(
        "C199", "key of your own (x-…) changed", _RISKY, (), "unknown to the registry", "ask the owners"
    ),
)
TABLE = {row.id: row for row in _ROWS}
