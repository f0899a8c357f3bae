"""Files that are no longer needed: gone at once by name, while their space goes back to the disk piece by piece.

A file system that tells the disk of freed space (discard) does so while the file is removed. For a checkpoint of 280 MB
that took 60 to 110 ms, and syncs of the log up to 43 ms; in pieces of 8 MiB they took what they always take.
"""

import errno
import os
from collections import deque
from pathlib import Path

PIECE_BYTES = 8 << 20
PAUSE_SECONDS = 0.005  # between two pieces
FILES_MOST = 16  # at a time: each takes a descriptor
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


class Shrinking:
    """Owns the descriptors of such files."""

    def __init__(self) -> None:
        self._files: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._files)

    @property
    def full(self) -> bool:
        """Whether others should wait until one of these has gone."""
        return len(self._files) >= FILES_MOST

    def remove(self, path: Path) -> None:
        """Take its name away; its space follows with each `step`, or at once where no descriptor is to be had: they
        may all be with connections. OSError."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            path.unlink()
            return
        try:
            path.unlink()
        except BaseException:
            os.close(fd)
            raise
        self._files.append(fd)

    def step(self) -> None:
        """Give one piece back; all that is left of a file that cannot be made shorter, which a full disk may refuse."""
        if not self._files:
            return
        fd = self._files[0]
        left = os.fstat(fd).st_size - PIECE_BYTES
        try:
            if left > 0:
                os.ftruncate(fd, left)
        except OSError:
            left = 0
        if left <= 0:
            os.close(self._files.popleft())

    def close(self) -> None:
        """Give all of it back, now."""
        while self._files:
            os.close(self._files.popleft())
