"""Catches a ladder that gives up what tests need before what they do not, that loops, or that drops in silence."""

from __future__ import annotations

from builder.models import Requirement
from builder.relaxing import Ladder

CONFLICT = (
    "error: No solution found when resolving dependencies\n  cause: Because you require boto3==1.9.86 and "
    "boto3==1.7.4, we can conclude that your requirements are unsatisfiable."
)
ABSENT = (
    "error: No solution found when resolving dependencies\n  cause: Because there is no version of "
    "moto==1.3.14.dev464 and you require moto==1.3.14.dev464 and mock, we can conclude that your requirements are "
    "unsatisfiable."
)
BROKEN = (
    "  x Failed to build `grpcio==1.18.0`\n  |-> The build backend returned an error\n"
    "  help: `grpcio` (v1.18.0) was included because `google-cloud` (v1.13) depends on `grpcio`\n"
)


def of(*pairs: tuple[str, int]) -> Ladder:
    return Ladder([Requirement(text=text, tier=tier, source="test") for text, tier in pairs])


def test_a_bound_of_the_highest_tier_gives_way_first() -> None:
    climbed = of(("boto3==1.7.4", 2), ("boto3==1.9.86", 3), ("pytest", 1))
    assert climbed.give_way(CONFLICT)
    assert climbed.lines() == ["boto3==1.7.4", "boto3", "pytest"]
    assert (climbed.relaxed, climbed.dropped) == (["boto3==1.9.86"], [])


def test_what_the_index_lacks_gives_way_whatever_else_is_named() -> None:
    """`moto==…devN` was deleted from the index; `mock` has the higher tier and is not to blame."""
    climbed = of(("moto==1.3.14.dev464", 1), ("mock", 3))
    assert climbed.give_way(ABSENT)
    assert climbed.lines() == ["moto", "mock"]


def test_a_yanked_release_comes_back_by_its_exact_version() -> None:
    """A release that was yanked later was there at the commit's date."""
    climbed = of(("omegaconf>=2.0.1rc3", 0), ("pytest", 1))
    message = "No solution found: Because omegaconf>=2.0.1rc3 was yanked and you require omegaconf>=2.0.1rc3"
    assert climbed.give_way(message)
    assert climbed.lines() == ["omegaconf==2.0.1rc3", "pytest"]
    assert climbed.relaxed == ["omegaconf>=2.0.1rc3"]
    assert climbed.give_way(message)
    assert climbed.lines() == ["omegaconf", "pytest"]


def test_a_name_that_does_not_exist_is_dropped() -> None:
    climbed = of(("nowhere", 1), ("pytest", 1))
    assert climbed.give_way("cause: Because nowhere was not found in the package registry and you require nowhere")
    assert climbed.lines() == ["pytest"]
    assert climbed.dropped == ["nowhere"]


def test_a_source_distribution_that_cannot_be_built_is_first_replaced_by_a_wheel() -> None:
    climbed = of(("google-cloud", 2), ("grpc-tools", 3))
    assert climbed.give_way(BROKEN)
    assert climbed.wheels_only == {"grpcio"}
    assert climbed.lines() == ["google-cloud", "grpc-tools"]


def test_then_who_wants_it_is_dropped() -> None:
    climbed = of(("google-cloud", 2), ("grpc-tools", 3))
    climbed.give_way(BROKEN)
    assert climbed.give_way(BROKEN)
    assert climbed.dropped == ["google-cloud"]


def test_without_a_name_only_optional_things_go() -> None:
    climbed = of(("needed", 1), ("optional", 3))
    message = "error: No solution found when resolving dependencies: because x depends on y"
    assert climbed.give_way(message)
    assert climbed.lines() == ["needed"]
    assert not climbed.give_way(message)


def test_an_error_that_is_no_conflict_drops_nothing() -> None:
    """Otherwise one full disk would empty the environment."""
    climbed = of(("needed", 1), ("optional", 3))
    assert not climbed.give_way("error: failed to write to /tmp")
    assert climbed.lines() == ["needed", "optional"]


def test_every_ladder_ends() -> None:
    climbed = of(("a==1", 0), ("b>2", 1), ("c", 4))
    steps = 0
    while climbed.give_way("No solution found: a b c"):
        steps += 1
    assert (steps, climbed.lines()) == (5, [])
    assert climbed.dropped[0] == "c"
    assert climbed.dropped[-1] == "a"
