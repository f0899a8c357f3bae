"""Jobs as the core encoded them, put together into the lists of a reply without being decoded."""
import struct
from collections.abc import Sequence

import msgpack  # type: ignore[import-untyped]

from flashq.server.replies import Raw

_MAP16 = struct.Struct(">BH")
_MAP16_CODE = 0xDE
_JOB_KEY: bytes = msgpack.packb("job")


def listed(jobs: Sequence[bytes], in_msgpack: bool) -> Raw:
    """The jobs as one list."""
    if not in_msgpack:
        return Raw(b"[" + b",".join(jobs) + b"]")
    packer = msgpack.Packer(autoreset=False)
    packer.pack_array_header(len(jobs))
    return Raw(packer.bytes() + b"".join(jobs))


def items(jobs: Sequence[bytes], in_msgpack: bool) -> Raw:
    """The same, each with itself again under the key `job`: some clients look for its fields there."""
    return listed([_item(job, in_msgpack) for job in jobs], in_msgpack)


def _item(job: bytes, in_msgpack: bool) -> bytes:
    if not in_msgpack:
        return b"".join((job[:-1], b',"job":', job, b"}"))
    code, keys = _MAP16.unpack_from(job)
    assert code == _MAP16_CODE, "a Job has more than 15 keys"
    return b"".join((_MAP16.pack(code, keys + 1), job[_MAP16.size:], _JOB_KEY, job))
