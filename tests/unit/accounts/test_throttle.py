"""Throttling: guessing is slow, and nobody is locked out by somebody else's guessing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from srt_router.accounts.throttle import (
    ADDRESS_DRAINS_S,
    KEPT,
    PAIR_DRAINS_S,
    TRIES_OF_ADDRESS,
    TRIES_OF_PAIR,
    Attempt,
    Buckets,
    Throttle,
    place_of,
)

ALICE = Attempt("alice", "192.0.2.1")


def fill(throttle: Throttle, attempt: Attempt, now: float = 0.0) -> int:
    """Try until it is refused; how often it was not."""
    tries = 0
    while throttle.admit(attempt, now) == 0:
        tries += 1
        assert tries <= TRIES_OF_ADDRESS
    return tries


def test_some_tries_are_free_and_then_one_in_a_while() -> None:
    throttle = Throttle()
    assert fill(throttle, ALICE) == TRIES_OF_PAIR
    assert throttle.admit(ALICE, 0.0) == PAIR_DRAINS_S
    assert throttle.admit(ALICE, PAIR_DRAINS_S) == 0
    assert throttle.admit(ALICE, PAIR_DRAINS_S) == PAIR_DRAINS_S


def test_small_letters_and_capitals_are_one_account() -> None:
    throttle = Throttle()
    fill(throttle, ALICE)
    assert throttle.admit(Attempt("Alice", ALICE.address), 0.0) > 0


def test_guessing_many_names_from_one_address_is_slow_too() -> None:
    throttle = Throttle()
    admitted = [throttle.admit(Attempt(f"user{n}", "192.0.2.1"), 0.0) == 0 for n in range(50)]
    assert sum(admitted) == TRIES_OF_ADDRESS
    assert throttle.admit(Attempt("another", "192.0.2.1"), ADDRESS_DRAINS_S) == 0


def test_an_attack_from_elsewhere_locks_nobody_out() -> None:
    throttle = Throttle()
    for n in range(1000):
        fill(throttle, Attempt("alice", f"203.0.{n // 250}.{n % 250}"))
    assert throttle.admit(ALICE, 0.0) == 0


def test_an_attack_behind_the_same_address_does_not_lock_out_a_device_that_is_known() -> None:
    throttle = Throttle()
    fill(throttle, ALICE)
    for n in range(50):
        throttle.admit(Attempt(f"user{n}", ALICE.address), 0.0)
    assert throttle.admit(Attempt("alice", ALICE.address, device="d1"), 0.0) == 0


def test_guessing_many_names_does_not_lock_out_whoever_is_signed_in_there() -> None:
    throttle = Throttle()
    for n in range(50):
        throttle.admit(Attempt(f"user{n}", ALICE.address), 0.0)
    assert throttle.admit(ALICE, 0.0) > 0
    assert throttle.admit(Attempt("alice", ALICE.address, known_address=True), 0.0) == 0


def test_a_known_device_cannot_guess_for_ever_either() -> None:
    throttle = Throttle()
    assert fill(throttle, Attempt("alice", "192.0.2.1", device="d1")) == TRIES_OF_PAIR


def test_success_forgives_mistypes() -> None:
    throttle = Throttle()
    for _ in range(100):
        for _ in range(TRIES_OF_PAIR - 1):
            assert throttle.admit(ALICE, 0.0) == 0
            throttle.undecided(ALICE, 0.0)
        assert throttle.admit(ALICE, 0.0) == 0
        throttle.succeeded(ALICE, 0.0)
    assert fill(throttle, ALICE) == TRIES_OF_PAIR


def test_an_ipv6_customer_is_one_place() -> None:
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff:1")
    assert place_of("2001:db8::1") != place_of("2001:db8:0:1::1")
    assert place_of("192.0.2.1") != place_of("192.0.2.2")
    assert place_of(None) == ""


def test_memory_is_bounded() -> None:
    buckets = Buckets(5, 30.0)
    for n in range(KEPT + 500):
        buckets.add((str(n),), 0.0)
    assert len(buckets) == KEPT


@given(st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=200))
def test_never_more_than_the_size_and_what_drained(pauses: list[float]) -> None:
    throttle, now, admitted = Throttle(), 0.0, 0
    for pause in pauses:
        now += pause
        admitted += throttle.admit(ALICE, now) == 0
    assert admitted <= TRIES_OF_PAIR + now / PAIR_DRAINS_S + 1e-6
