"""What Python may call: fill the table once at start-up."""
from collections.abc import Iterable
from typing import Any

def load(commands: Iterable[Any], push_options: Iterable[Any]) -> None: ...
