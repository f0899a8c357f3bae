"""Every byte of a small journal is flipped: all that was acknowledged is there, or the start says where it is not."""

import shutil
from pathlib import Path

import pytest

from flashq.storage.base import DamageError
from support.journal import Opened, read


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two starts: some groups and a marker each; then the server was killed."""
    directory = tmp_path_factory.mktemp("journal") / "data"
    with Opened(directory) as opened:
        for _ in range(3):
            opened.committed()
    opened = Opened(directory)
    for _ in range(3):
        opened.committed(2)
    opened.until(lambda: opened.journal.log_bytes == 3 * (48 + 2 * 19) + 48)     # the marker
    shutil.copytree(directory, directory.parent / "killed")
    opened.close()
    return directory.parent / "killed"


def used(path: Path) -> int:
    """Bytes up to the last that is not zero."""
    return len(path.read_bytes().rstrip(b"\0"))


def check(directory: Path, path: Path) -> None:
    try:
        found, kept = read(directory)
    except DamageError as error:
        assert error.file.parent == directory
        assert 0 <= error.offset <= (path.stat().st_size if path.exists() else 0)
        assert "flashq journal verify" in str(error) and "\n" not in str(error)
        return
    assert found.position == 9
    assert kept.positions == list(range(1, 10))


@pytest.mark.parametrize("name", ["segment-000000000001.log", "segment-000000000003.log"])
def test_a_flipped_byte_loses_nothing_silently(original: Path, tmp_path: Path, name: str) -> None:
    directory = tmp_path / "data"
    for at in range(used(original / name) + 60):
        shutil.copytree(original, directory)
        with open(directory / name, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 0x40]))
        try:
            check(directory, directory / name)
        finally:
            shutil.rmtree(directory)
