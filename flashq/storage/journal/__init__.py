"""The journal: jobs in local files, in a log of segments with checkpoints of the state beside it."""

from flashq.storage.journal.journal import Journal
from flashq.storage.journal.reading import Progress, Recovered

__all__ = ["Journal", "Progress", "Recovered"]
