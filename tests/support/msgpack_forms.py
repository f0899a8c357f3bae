"""Every way to write a value in MessagePack, and which of them a job may hold."""
import math
import struct

import msgpack
from hypothesis import strategies as st

# -- what is accepted ----------------------------------------------------------------------------------------

class Pairs(list):
    """A map as it stood there, repeated keys included."""


class Refused(Exception):
    """A value that the standard parser reads and flashQ does not take."""


def refuse_ext(code: int, body: bytes) -> None:
    raise Refused(code)


def walk(value: object, depth: int) -> None:
    """Raise Refused where a parsed value holds what no job may hold."""
    if isinstance(value, (bytes, msgpack.Timestamp)) or (isinstance(value, float) and not math.isfinite(value)):
        raise Refused(value)
    if isinstance(value, list):
        if depth == 128:
            raise Refused("depth")
        for child in value:
            if isinstance(value, Pairs):
                if not isinstance(child[0], str):
                    raise Refused(child)
                child = child[1]
            walk(child, depth + 1)


def is_acceptable(value: bytes) -> bool:
    """Whether msgpack itself parses these bytes to a value without bin, ext, odd keys, NaN, infinities and depth."""
    try:
        walk(msgpack.unpackb(value, strict_map_key=False, object_pairs_hook=Pairs, ext_hook=refuse_ext), 0)
    except (ValueError, msgpack.UnpackException, Refused, RecursionError):
        return False
    return True


# -- every way to write a value ------------------------------------------------------------------------------

UNSIGNED = [("B", 0xCC), (">H", 0xCD), (">I", 0xCE), (">Q", 0xCF)]
SIGNED = [("b", 0xD0), (">h", 0xD1), (">i", 0xD2), (">q", 0xD3)]


def integer_forms(number: int) -> list[bytes]:
    """Every encoding of an integer: fixint, each width that holds it, and the floats that are equal to it."""
    forms = [struct.pack("b", number)] if -32 <= number < 128 else []
    for code, first in UNSIGNED + SIGNED:
        try:
            forms.append(bytes([first]) + struct.pack(code, number))
        except struct.error:
            continue
    for code, first in ((">f", 0xCA), (">d", 0xCB)):
        packed = struct.pack(code, number)
        if struct.unpack(code, packed)[0] == number:
            forms.append(bytes([first]) + packed)
    return forms


def sized(forms: list[tuple[int, str]], size: int, fix: bytes | None = None) -> list[bytes]:
    """Headers for `size` in every width that holds it."""
    heads = [] if fix is None else [fix]
    for first, code in forms:
        try:
            heads.append(bytes([first]) + struct.pack(code, size))
        except struct.error:
            continue
    return heads


def text_forms(text: str) -> list[bytes]:
    body = text.encode()
    fix = bytes([0xA0 | len(body)]) if len(body) < 32 else None
    return [head + body for head in sized([(0xD9, "B"), (0xDA, ">H"), (0xDB, ">I")], len(body), fix)]


@st.composite
def encoded(draw: st.DrawFn, depth: int = 4) -> bytes:
    """Bytes of an acceptable value, each token in any of its encodings."""
    kind = draw(st.integers(0, 7 if depth else 4))
    if kind == 0:
        return draw(st.sampled_from([b"\xc0", b"\xc2", b"\xc3"]))
    if kind <= 2:
        return draw(st.sampled_from(integer_forms(draw(st.integers(-(2**63), 2**64 - 1)))))
    if kind == 3:
        return b"\xcb" + struct.pack(">d", draw(st.floats(allow_nan=False, allow_infinity=False)))
    if kind == 4:
        return draw(st.sampled_from(text_forms(draw(st.text(max_size=40)))))
    children = draw(st.lists(encoded(depth=depth - 1), max_size=5))
    if kind <= 6:
        fix = bytes([0x90 | len(children)])
        return draw(st.sampled_from(sized([(0xDC, ">H"), (0xDD, ">I")], len(children), fix))) + b"".join(children)
    keys = [draw(st.sampled_from(text_forms(draw(st.text(max_size=40))))) for _ in children]
    head = draw(st.sampled_from(sized([(0xDE, ">H"), (0xDF, ">I")], len(children), bytes([0x80 | len(children)]))))
    return head + b"".join(key + child for key, child in zip(keys, children, strict=True))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An acceptable value with some bytes overwritten, inserted or left out."""
    value = bytearray(draw(encoded()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(value)))
        until = min(len(value), at + draw(st.integers(0, 2)))
        value[at:until] = draw(st.binary(max_size=2))
    return bytes(value)
