"""Errors of the client come whole out of another process, as out of a pool of them."""
import copy
import pickle

import pytest

from flashq.client.errors import ConnectionLost, DeadlineExceeded, FlashQError
from flashq.client.refusals import JobNotFound
from flashq.tasks import ResultNotKept, ResultNotReady, TaskFailed


@pytest.mark.parametrize("error", [
    ConnectionLost("gone"), ResultNotReady("not yet"), DeadlineExceeded("PUSH", 2, True),
    JobNotFound("Job not found", "ACK", sent_again=True), ResultNotKept(7, "send"), TaskFailed(7, "send", "E: x", None),
], ids=lambda error: type(error).__name__)
def test_an_error_is_pickled_and_copied(error: FlashQError) -> None:
    for one in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(one), str(one), one.args, vars(one)) == (type(error), str(error), error.args, vars(error))
