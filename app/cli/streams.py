"""Standard streams that never end a command, even if closed, full, or in a limited encoding."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO


class _Stream(io.FileIO):
    """A file descriptor whose writes never fail; what cannot be written is lost, and `error` says why."""

    error: OSError | None = None

    def write(self, data: object) -> int:
        """Write bytes, and always report all as written."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            self.error = self.error or error
            return len(memoryview(data))  # type: ignore[arg-type]


class Output:
    """The standard streams of a command, which replace Python's."""

    def __init__(self) -> None:
        """Replace the streams. Open the null device for closed descriptors, so that no other file gets them.

        It is opened for reading, so writes fail as if the descriptor were still closed.
        """
        for descriptor in range(3):
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, os.O_RDONLY)
        if sys.stdin is None:
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process
        self._written = _Stream(1, "w", closefd=False)
        sys.stdout = _text(self._written, sys.stdout)
        sys.stderr = _text(_Stream(2, "w", closefd=False), sys.stderr, line_buffering=True)

    def lost(self) -> str | None:
        """Return why output was lost; None if it was not, or if the reader of a pipe ended early."""
        sys.stdout.flush()
        error = self._written.error
        if error is None or error.errno == errno.EPIPE:
            return None
        return "standard output is closed" if error.errno == errno.EBADF else error.strerror


def _text(stream: _Stream, before: TextIO | None, *, line_buffering: bool = False) -> io.TextIOWrapper:
    """Return a stream like the previous one that escapes characters outside its encoding."""
    encoding = "utf-8" if before is None else before.encoding
    buffered = io.BufferedWriter(stream)
    return io.TextIOWrapper(
        buffered,
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=line_buffering or stream.isatty(),
    )
