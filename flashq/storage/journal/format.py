"""The files of the journal: their names and headers. All numbers are little-endian, all checksums are CRC-32C.

**Segments** hold the log, `segment-<number>.log`. A header of 64 bytes: magic, u32 version, u32 epoch (of the start of
the server that made it), u64 number, u64 size of the file, u32 salt, zeros, u32 checksum of what stands before. Numbers
rise by one and are never used again. The whole size is reserved and the header written before the file gets its name,
so a segment that is shorter than stated, or whose header does not fit, is damaged.

Behind it **groups** follow without a gap, each with a header of 48 bytes: u32 magic "FQG1", u32 size of the payload,
u64 number of the segment, u64 base and u64 last (positions of the last record before the group and in it), u64 position
up to which the log was durable when the group was written, u32 checksum of the payload, u32 checksum of the header.
The payload is whole frames of records (flashq/_core/records.pyx). Both checksums begin with the salt, which is drawn
anew for each segment: what an earlier use of the file left behind, and what a client put into a job, never looks like a
group. A group without payload is a marker: it only states what is durable. Magic "FQE1" makes it the end of its
segment, behind which nothing counts. The base of each group is the last position of the one before, from segment to
segment; between the last group and the end of the file anything may stand.

**Checkpoints** hold the state as frames, `checkpoint-<position>.ckpt`, where the position is that at which it was
begun. A header of 64 bytes: magic, u32 version, u32 epoch, u64 position begun, u64 number of the segment that was
written to then (0: the checkpoint needs no log), zeros, u32 checksum. Blocks follow: u32 size, u32 checksum, payload.
The last block has size 0, its checksum, and 40 bytes: u64 position at the end, u64 jobs, u64 blocks, u64 bytes of
payload, u32 checksum of the heads of all blocks, zeros. Nothing follows it.

To change anything here, raise VERSION and keep reading the older one; the place of magic, version and checksum in the
headers stays, so that an older server can say what it met.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from flashq.storage.base import DamageError, FormatError
from flashq.storage.journal.logscan import checksum

VERSION = 1
HEAD_BYTES = 64
GROUP_HEAD = struct.Struct("<IIQQQQII")  # magic, size, number, base, last, durable, checksums of payload and header
MARK = 0x31475146  # "FQG1"
END_MARK = 0x31455146  # "FQE1"

SEGMENT_MAGIC = b"FLASHQJ\n"
CHECKPOINT_MAGIC = b"FLASHQC\n"
_HEAD = struct.Struct("<8sIIQQI24x")  # magic, version, epoch, and two numbers and a salt of each kind's own
_CRC = struct.Struct("<I")
BLOCK = struct.Struct("<II")
FINAL = struct.Struct("<QQQQI4x")

LOCK_NAME = "lock"
SPARE_GLOB = "spare-*.tmp"
UNFINISHED_GLOB = "checkpoint-*.tmp"
_SEGMENT_NAME = re.compile(r"segment-(\d{12})\.log")
_CHECKPOINT_NAME = re.compile(r"checkpoint-(\d{20})\.ckpt")


def segment_name(number: int) -> str:
    return f"segment-{number:012}.log"


def checkpoint_name(begin: int) -> str:
    return f"checkpoint-{begin:020}.ckpt"


def segments_in(directory: Path) -> dict[int, Path]:
    """The segments that lie there, in the order of their numbers."""
    return _numbered(directory, _SEGMENT_NAME)


def checkpoints_in(directory: Path) -> dict[int, Path]:
    """The checkpoints that lie there, in the order of the positions at which they were begun."""
    return _numbered(directory, _CHECKPOINT_NAME)


def _numbered(directory: Path, name: re.Pattern[str]) -> dict[int, Path]:
    found = ((name.fullmatch(path.name), path) for path in directory.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in found if match is not None))


@dataclass(frozen=True)
class SegmentHead:
    """What the header of a segment says."""

    epoch: int
    number: int
    size: int
    salt: int

    def pack(self) -> bytes:
        return _sealed(_HEAD.pack(SEGMENT_MAGIC, VERSION, self.epoch, self.number, self.size, self.salt))


@dataclass(frozen=True)
class CheckpointHead:
    """What the header of a checkpoint says."""

    epoch: int
    begin: int
    segment: int

    def pack(self) -> bytes:
        return _sealed(_HEAD.pack(CHECKPOINT_MAGIC, VERSION, self.epoch, self.begin, self.segment, 0))


def read_segment_head(path: Path, head: bytes) -> SegmentHead:
    """DamageError or FormatError when it is none that this version can read."""
    epoch, number, size, salt = _opened(path, head, SEGMENT_MAGIC)
    return SegmentHead(epoch, number, size, salt)


def read_checkpoint_head(path: Path, head: bytes) -> CheckpointHead:
    """DamageError or FormatError when it is none that this version can read."""
    epoch, begin, segment, _salt = _opened(path, head, CHECKPOINT_MAGIC)
    return CheckpointHead(epoch, begin, segment)


def _sealed(head: bytes) -> bytes:
    return head + _CRC.pack(checksum(head))


def _opened(path: Path, head: bytes, wanted: bytes) -> tuple[int, int, int, int]:
    if len(head) < HEAD_BYTES:
        raise DamageError(path, 0, 0, f"the file ends after {len(head)} bytes of its header")
    if checksum(head[:-4]) != _CRC.unpack(head[-4:])[0]:
        raise DamageError(path, 0, 0, "the checksum of its header does not match")
    magic, version, epoch, first, second, salt = _HEAD.unpack(head[:-4])
    if magic != wanted:
        raise DamageError(path, 0, 0, "its header is that of another kind of file")
    if version > VERSION:
        raise FormatError(f"{path} has format version {version}, and this flashq reads {VERSION}: start a newer one")
    return epoch, first, second, salt
