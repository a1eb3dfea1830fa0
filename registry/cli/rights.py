"""Rights and times on the command line of `registry user` and `registry token`."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from registry.errors import UsageError, nearest

if TYPE_CHECKING:
    from registry.writes.users import Rights

_DURATION = re.compile(r"([0-9]{1,4})([hdw])\Z")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def rights_of(words: Sequence[str], only: Sequence[str], default: "Rights") -> "Rights":
    """Return the rights of `--right` and `--only`.

    A right without a folder of its own is for the folders of `--only`, else for those in `default`, else for
    everything. Without `--right`, the rights are those in `default`. Raises UsageError for an unknown right
    or an invalid folder.
    """
    from registry.writes.users import EVERYTHING

    around = tuple(_folder(one) for one in only)
    found: dict[str, list[str]] = {}
    for word in words or list(default):
        right, colon, folder = word.partition(":")
        _require_right(right)
        folders = (_folder(folder),) if colon else around or default.get(right, (EVERYTHING,))
        found.setdefault(right, []).extend(one for one in folders if one not in found.get(right, []))
    return {right: tuple(folders) for right, folders in found.items()}


def _require_right(word: str) -> None:
    from registry.writes.users import RIGHTS

    if word not in RIGHTS:
        hint = nearest(word, RIGHTS) or f"rights are {', '.join(RIGHTS)}, as in --right write:weather/"
        raise UsageError(f"there is no right `{word}`", hint)


def _folder(text: str) -> str:
    """Return a folder as in the users file: with a slash at its end, `/` for everything."""
    steps = text.strip("/").split("/")
    if text == "/":
        return text
    if any(step in ("", ".", "..") or step != step.strip() for step in steps):
        raise UsageError(f"{text!r} is no folder of definitions", "as in weather/, or / for everything")
    return f"{'/'.join(steps)}/"


def rights_text(rights: "Rights") -> str:
    """Return rights for people, as in `read everywhere, write in weather/`."""
    from registry.writes.users import EVERYTHING

    words = [
        f"{right} everywhere" if EVERYTHING in folders else f"{right} in {' '.join(folders)}"
        for right, folders in rights.items()
        if folders
    ]
    return ", ".join(words) or "none"


def expiry_of(text: str, now: datetime) -> datetime:
    """Return the time that `--expires` names: a duration such as 90d, or a date (its start in UTC).

    Raises UsageError for other texts and for times that are not after `now`.
    """
    duration = _DURATION.match(text)
    found = now + timedelta(**{_UNITS[duration[2]]: int(duration[1])}) if duration else _date(text)
    if found <= now:
        raise UsageError(f"--expires {text} is not in the future", "as in --expires 90d")
    return found


def _date(text: str) -> datetime:
    try:
        if _DATE.match(text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise UsageError(
        f"--expires {text!r} is neither a duration nor a date", "as in 12h, 90d, 8w or 2027-02-28"
    )
