"""Durations in a form that people write: `1m30s`, `1.5h`, `10 min`."""

import re
from decimal import Decimal

_DURATION = re.compile(r"(?:(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,6})?\s*[A-Za-z]+\s*)+\Z")
_UNITS = {
    name: Decimal(seconds)
    for seconds, names in {
        "604800": ("w", "week", "weeks"),
        "86400": ("d", "day", "days"),
        "3600": ("h", "hr", "hrs", "hour", "hours"),
        "60": ("m", "min", "mins", "minute", "minutes"),
        "1": ("s", "sec", "secs", "second", "seconds"),
        "0.001": ("ms", "msec", "msecs", "millisecond", "milliseconds"),
    }.items()
    for name in names
}


def seconds_of(text: str) -> Decimal | None:
    """Return the seconds of a duration such as 90, 1m30s, 1.5h, 500ms or "10 min"; None if it is unclear.

    Every number except a single one needs a unit, and units must descend. `1M` may be a month and is not
    accepted.
    """
    text = text.strip()
    if re.fullmatch(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,6})?", text):
        return Decimal(text)
    if len(text) > 64 or not _DURATION.match(text):
        return None
    parts = re.findall(r"(?<![0-9.])([0-9.]+)\s*([A-Za-z]+)", text)
    units = [_UNITS.get("?" if unit == "M" else unit.lower(), Decimal(0)) for _, unit in parts]
    if 0 in units or units != sorted(set(units), reverse=True):
        return None
    return sum((Decimal(number) * unit for (number, _), unit in zip(parts, units, strict=True)), Decimal(0))
