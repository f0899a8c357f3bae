"""Text of jobs and of servers on a terminal: it must not move the cursor, nor turn the line around."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_CONTROLS |= {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}     # bytes of arguments that are no UTF-8


def harmless(text: str) -> str:
    """With control characters written out."""
    return text.translate(_CONTROLS)
