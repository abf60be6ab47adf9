"""The table of states holds together."""

from __future__ import annotations

import pytest

from pellucid.server.connection import TRANSITIONS, Event, Limits, State, after, timeouts


def test_every_state_is_reached_and_left():
    reached = {target for (source, _), target in TRANSITIONS.items() if source is not target}
    assert reached == set(State)
    assert {source for source, _ in TRANSITIONS} == set(State)


def test_every_state_ends_when_the_connection_does():
    for state in State:
        assert after(state, Event.LOST) is State.CLOSED


def test_every_state_that_waits_for_the_client_has_a_bound():
    bounded = {state for state, seconds in timeouts(Limits()).items() if seconds < 1000}
    assert bounded == {State.IDLE, State.HEAD, State.BODY, State.DRAINING, State.LINGERING}


def test_what_the_table_lacks_is_a_bug():
    with pytest.raises(RuntimeError, match="LINGERING cannot see BYTES"):
        after(State.LINGERING, Event.BYTES)


def test_the_fast_lane_s_one_step_is_the_table_s_two():
    assert after(after(State.IDLE, Event.BYTES), Event.WHOLE) is State.HANDLING
    assert after(State.HANDLING, Event.ANSWERED) is State.IDLE
