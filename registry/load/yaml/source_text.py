"""The text of a file by offset: where its lines start, and how its bytes are written back."""

import re
from bisect import bisect_right

_BOM = b"\xef\xbb\xbf"
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class SourceText:
    """The text of a UTF-8 file without its byte order mark. Offsets count characters from 0."""

    def __init__(self, data: bytes) -> None:
        """Decode `data`. Raises UnicodeDecodeError (a ValueError) if it is not UTF-8."""
        self._bom = _BOM if data.startswith(_BOM) else b""
        self.text = data[len(self._bom) :].decode("utf-8")
        self.line_starts = [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]
        first = _LINE_BREAK.search(self.text)
        self.line_break = first.group() if first else "\n"

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and column, both from 1; at most the length of the text."""
        if line > len(self.line_starts):
            return len(self.text)
        return self.line_starts[line - 1] + column - 1

    def line_start(self, offset: int) -> int:
        """Return the offset of the first character of the line at `offset`."""
        return self.line_starts[bisect_right(self.line_starts, offset) - 1]

    def line_end(self, offset: int) -> int:
        """Return the offset after the line at `offset` and its line break."""
        following = bisect_right(self.line_starts, offset)
        return self.line_starts[following] if following < len(self.line_starts) else len(self.text)

    def encoded(self, text: str) -> bytes:
        """Return the bytes of a file with `text` and the byte order mark of this one."""
        return self._bom + text.encode()
