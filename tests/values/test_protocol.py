"""What both sides agree on: the failure detector's times."""

from __future__ import annotations

import pytest

from pyrochat import InvalidArgument, Timing


@pytest.mark.parametrize(("beat", "silent"), [(0, 1), (1, 1), (2, 1), (-1, 1)])
def test_the_beat_is_shorter_than_the_silence(beat: float, silent: float) -> None:
    with pytest.raises(InvalidArgument):
        Timing(beat_seconds=beat, silent_seconds=silent)


def test_the_grace_is_not_negative() -> None:
    assert Timing(grace_seconds=0).grace_seconds == 0
    with pytest.raises(InvalidArgument):
        Timing(grace_seconds=-1)
