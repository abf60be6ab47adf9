"""Which address is tried when: whole courses of events, played through without a socket or a clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pellucid.client.race import Race, Start, Wait

MS = 1_000_000
SIX, SIX_TOO = "2001:db8::1", "2001:db8::2"
FOUR, FOUR_TOO = "192.0.2.1", "192.0.2.2"


def race() -> Race:
    return Race(250 * MS, 50 * MS)


def started(step: Start | Wait | None) -> str:
    assert isinstance(step, Start)
    return step.address


def test_nothing_is_known_yet() -> None:
    assert race().next(0) == Wait(None)


def test_ipv6_is_tried_as_soon_as_it_is_known() -> None:
    playing = race()
    playing.found([SIX], 3 * MS)
    assert playing.next(3 * MS) == Start(SIX, "Tried first")
    assert playing.next(3 * MS) == Wait(None)


def test_ipv4_waits_the_resolution_delay_for_ipv6() -> None:
    playing = race()
    playing.found([FOUR], 10 * MS)
    assert playing.next(10 * MS) == Wait(60 * MS)
    playing.found([SIX], 40 * MS)
    assert started(playing.next(40 * MS)) == SIX
    assert playing.next(40 * MS) == Wait(290 * MS)


def test_ipv4_goes_ahead_after_the_resolution_delay_and_says_so() -> None:
    playing = race()
    playing.found([FOUR], 10 * MS)
    assert playing.next(60 * MS) == Start(FOUR, "Tried first, after waiting 50 ms for an IPv6 address in vain")


def test_ipv4_does_not_wait_where_it_is_known_that_there_is_no_ipv6() -> None:
    playing = race()
    playing.found([FOUR], 10 * MS)
    playing.resolved()
    assert playing.next(10 * MS) == Start(FOUR, "Tried first")


def test_families_take_turns() -> None:
    playing = race()
    playing.found([SIX, SIX_TOO, FOUR, FOUR_TOO], 0)
    playing.resolved()
    order = [started(playing.next(round * 250 * MS)) for round in range(4)]
    assert order == [SIX, FOUR, SIX_TOO, FOUR_TOO]
    assert playing.next(1000 * MS) == Wait(None)


def test_the_resolver_may_prefer_ipv4() -> None:
    playing = race()
    playing.found([FOUR, SIX], 0)
    assert started(playing.next(0)) == FOUR


def test_the_next_one_starts_after_the_attempt_delay() -> None:
    playing = race()
    playing.found([SIX, FOUR], 0)
    playing.next(0)
    assert playing.next(249 * MS) == Wait(250 * MS)
    assert playing.next(251 * MS) == Start(FOUR, "Tried 251 ms after the one before, which had not answered")


def test_the_next_one_starts_at_once_when_one_fails() -> None:
    playing = race()
    playing.found([SIX, FOUR], 0)
    playing.resolved()
    playing.next(0)
    playing.failed("was refused")
    assert playing.next(2 * MS) == Start(FOUR, "Tried at once, since the one before was refused")
    playing.failed("was refused")
    assert playing.next(4 * MS) is None


def test_an_address_that_comes_late_is_tried_when_nothing_is_left() -> None:
    playing = race()
    playing.found([SIX], 0)
    playing.next(0)
    playing.failed("was refused")
    assert playing.next(1 * MS) == Wait(None)
    playing.found([FOUR], 90 * MS)
    assert started(playing.next(90 * MS)) == FOUR


def test_no_address_at_all() -> None:
    playing = race()
    playing.resolved()
    assert playing.next(0) is None


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("found"), st.lists(st.sampled_from([SIX, SIX_TOO, FOUR, FOUR_TOO]), max_size=3)),
        st.tuples(st.just("failed"), st.just([])),
        st.tuples(st.just("wait"), st.just([])),
    ),
    max_size=20,
)


@given(EVENTS)
def test_every_address_is_tried_once_and_the_race_ends(events: list[tuple[str, list[str]]]) -> None:
    playing, at, tried, running, known = race(), 0, [], 0, set()

    def play() -> Start | Wait | None:
        nonlocal running, at
        while True:
            step = playing.next(at)
            if isinstance(step, Start):
                tried.append(step.address)
                running += 1
            elif isinstance(step, Wait) and step.until is not None:
                assert step.until > at
                at = step.until
            else:
                return step

    for what, addresses in events:
        if what == "found":
            known |= set(addresses)
            playing.found(addresses, at)
        elif what == "failed" and running:
            playing.failed("was refused")
            running -= 1
        play()
        at += MS
    playing.resolved()
    play()
    while running:
        playing.failed("was refused")
        running -= 1
        play()
    assert playing.next(at) is None
    assert sorted(tried) == sorted(known)
