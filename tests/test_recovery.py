"""What the records say is what there was: state rebuilt from a log, or from a checkpoint and a log."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from conftest import SLOW_BUILD
from support.recovered import Checkpoints, assert_same, ids_of, picture, recovered
from test_model import StoredServerMachine

STEPS = settings(stateful_step_count=15 if SLOW_BUILD else 40)


class RecoveredMachine(StoredServerMachine):
    """After each step an engine is made from the records alone, and one from the newest checkpoint and the records."""

    def __init__(self) -> None:
        super().__init__()
        self.checkpoints = Checkpoints(self.sim.engine, 200)

    def wall_clock_is_set(self, ms: int) -> None:
        """No rule here: after a restart the wall clock alone tells when a delay is over."""

    @rule(slices=st.integers(1, 12))
    def go_on_with_the_checkpoint(self, slices: int) -> None:
        for _ in range(slices):
            self.checkpoints.step()

    @invariant()
    def is_recovered(self) -> None:
        assert self.store is not None
        ids = ids_of(self.store)
        live = picture(self.sim.engine, ids)
        assert_same(live, picture(recovered(self.sim, bytes(self.store.log)), ids))
        if self.checkpoints.newest:
            assert_same(live, picture(recovered(self.sim, bytes(self.store.log), self.checkpoints.newest), ids))


TestRecovered = RecoveredMachine.TestCase
TestRecovered.settings = STEPS
