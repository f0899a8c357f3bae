"""Reading segments and checkpoints, without changing a byte: what recovery and the tools share."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flashq._core.recordforms import heads
from flashq.storage.base import DamageError
from flashq.storage.journal import logscan
from flashq.storage.journal.files import storage_errors
from flashq.storage.journal.format import (
    BLOCK,
    END_MARK,
    FINAL,
    GROUP_HEAD,
    HEAD_BYTES,
    CheckpointHead,
    SegmentHead,
    read_checkpoint_head,
    read_segment_head,
)
from flashq.storage.journal.logscan import Walk, checksum

WINDOW = 4 << 20  # bytes read at a time; more when one group has more


class RawFile:
    """An open file, read at any place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with storage_errors(f"cannot read {path}"):
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self.size = os.fstat(self.fd).st_size
            except BaseException:
                os.close(self.fd)
                raise

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """As much as there is; how much. StorageError."""
        done = 0
        with storage_errors(f"cannot read {self.path} at byte {offset}"):
            while done < len(buffer) and (got := os.preadv(self.fd, [buffer[done:]], offset + done)):
                done += got
        return done

    def read(self, size: int, offset: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.read_into(memoryview(buffer), offset)])

    def close(self) -> None:
        os.close(self.fd)


@dataclass(frozen=True)
class Group:
    """One group of a segment; a marker has no frames."""

    offset: int
    size: int  # bytes, with its header
    base: int
    last: int
    durable: int
    is_end: bool
    frames: bytes

    def positions(self) -> Iterator[tuple[int, int, int]]:
        """(offset in the file, size, position) of each frame."""
        for at, size, position in heads(self.frames):
            yield self.offset + GROUP_HEAD.size + at, size, position


class Segment:
    """One segment, open for reading. DamageError or FormatError when its header says that it is none."""

    def __init__(self, path: Path) -> None:
        self._file = RawFile(path)
        self.path = path
        try:
            self.head: SegmentHead = read_segment_head(path, self._file.read(HEAD_BYTES, 0))
            if self._file.size != self.head.size:
                reason = f"the file has {self._file.size} bytes, and its header says {self.head.size}"
                raise DamageError(path, min(self._file.size, self.head.size), 0, reason)
            self.base = self._first_base()
        except BaseException:
            self.close()
            raise
        self.at = HEAD_BYTES  # where the walk stands: behind the last good group
        self.stop = logscan.MORE  # why it ended there
        self.chunk_at = HEAD_BYTES  # where the frames given last begin

    def close(self) -> None:
        self._file.close()

    def _first_base(self) -> int | None:
        """Position before the first group; None when there is no whole one."""
        head = self._file.read(GROUP_HEAD.size, HEAD_BYTES)
        if logscan.find_heads(head, self.head.number, self.head.salt)[0] == 0:
            return None
        return int(GROUP_HEAD.unpack(head)[3])

    def walk(self, position: int | None = None, after: int = 0) -> Walk:
        """For `chunks` and `groups`: the first group must follow `position`; frames up to `after` are left out."""
        return Walk(self.head.number, self.head.salt, position, after)

    def chunks(self, walk: Walk, window: bytearray, limit: int = 0) -> Iterator[memoryview]:
        """The frames of many groups at a time, in `window` or a larger one; afterwards `stop` says why the walk ended,
        at byte `at`. With a limit of groups at a time also those without frames."""
        begin = size = 0
        while True:
            view = memoryview(window)[begin:size]
            used, frames, self.stop = walk.run(view, len(view), self.head.size - self.at, limit)
            self.chunk_at = self.at
            self.at += used
            if frames or (limit and used):
                yield view[:frames]
            if self.stop not in (logscan.MORE, logscan.LIMIT):
                return
            begin += used
            if self.stop == logscan.MORE:
                if size and begin == 0:
                    window = bytearray(max(walk.needed, 2 * len(window)))
                begin, size = 0, self._file.read_into(memoryview(window), self.at)
                if size < min(len(window), self.head.size - self.at):
                    raise DamageError(self.path, self.at + size, walk.frames, "the file ends before its stated size")

    def groups(self, walk: Walk) -> Iterator[Group]:
        """One group after another; afterwards `at` and `stop` as of `chunks`."""
        for frames in self.chunks(walk, bytearray(min(WINDOW, self.head.size)), limit=1):
            yield self._group(bytes(frames))

    def _group(self, frames: bytes) -> Group:
        head = GROUP_HEAD.unpack(self._file.read(GROUP_HEAD.size, self.chunk_at))
        magic, size, _number, base, last, durable, *_crcs = head
        return Group(self.chunk_at, GROUP_HEAD.size + size, base, last, durable, magic == END_MARK, frames)


class Checkpoint:
    """One checkpoint, open for reading. DamageError or FormatError when its header says that it is none."""

    def __init__(self, path: Path) -> None:
        self._file = RawFile(path)
        self.path = path
        self.size = self._file.size
        try:
            self.head: CheckpointHead = read_checkpoint_head(path, self._file.read(HEAD_BYTES, 0))
        except BaseException:
            self.close()
            raise
        self.at = HEAD_BYTES  # behind the last good block
        self.block_at = HEAD_BYTES  # where the payload of the block given last begins
        self.end = 0  # once all blocks were read: position when the last was written
        self.jobs = 0  # likewise: how many it holds

    def close(self) -> None:
        self._file.close()

    def blocks(self) -> Iterator[memoryview]:
        """The frames, block by block, in a buffer that the next one overwrites. DamageError when it is not whole."""
        buffer = bytearray(min(WINDOW, self.size))
        count = payload = heads = 0
        while True:
            head = self._file.read(BLOCK.size, self.at)
            if len(head) < BLOCK.size:
                raise self._damage(count, "the file ends before its last block")
            size, crc = BLOCK.unpack(head)
            last = size == 0
            size = size or FINAL.size
            if size > self.size - self.at - BLOCK.size:
                raise self._damage(count, "a block reaches beyond the end of the file")
            if size > len(buffer):
                buffer = bytearray(size)
            block = memoryview(buffer)[:size]
            if self._file.read_into(block, self.at + BLOCK.size) != size or checksum(block) != crc:
                raise self._damage(count, "the checksum of a block does not match")
            self.block_at = self.at + BLOCK.size
            if last:
                self._finish(block, count, payload, heads)
                return
            yield block
            self.at = self.block_at + size
            heads = checksum(head, heads)
            count += 1
            payload += size

    def _finish(self, block: memoryview, count: int, payload: int, heads: int) -> None:
        self.end, self.jobs, *rest = FINAL.unpack(block)
        if rest != [count, payload, heads]:
            raise self._damage(count, "its last block is that of another checkpoint")
        if self.end < self.head.begin or self.block_at + len(block) != self.size:
            raise self._damage(count, "the file goes on behind its last block")

    def _damage(self, blocks: int, reason: str) -> DamageError:
        return DamageError(self.path, self.at, blocks, reason)
