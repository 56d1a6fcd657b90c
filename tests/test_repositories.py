from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError
from builder.repositories import Candidate, Criteria, failing, ranked, read_list, write_list


def candidate(**facts: Any) -> Candidate:
    usual = {
        "repo": "octo/sums",
        "language": "Python",
        "created_at": datetime(2015, 3, 1, tzinfo=UTC),
        "stars": 501,
        "lines": 300,
        "pulls": 501,
        "closed_issues": 400,
        "contributors": 101,
        "license": "MIT",
        "archived": False,
        "fork": False,
    }
    return Candidate.model_validate({**usual, **facts})


@pytest.mark.parametrize(
    ("facts", "criterion"),
    [
        ({}, None),
        ({"stars": 500}, "stars"),
        ({"pulls": 500}, "pull requests"),
        ({"contributors": 100}, "contributors"),
        ({"contributors": None}, None),
        ({"lines": 299}, "lines"),
        ({"language": "Rust"}, "language"),
        ({"created_at": datetime(2022, 7, 1, tzinfo=UTC)}, "created"),
        ({"created_at": datetime(2022, 6, 30, tzinfo=UTC)}, None),
        ({"fork": True}, "fork"),
        ({"archived": True}, None),
        ({"license": ""}, None),
    ],
)
def test_the_papers_criteria_at_their_bounds(facts: dict[str, Any], criterion: str | None) -> None:
    """One off at a bound lets in, or leaves out, what the paper did not."""
    assert failing(candidate(**facts), Criteria()) == criterion


def test_licences_are_compared_without_case() -> None:
    criteria = Criteria(licenses=("mit", "Apache-2.0"))
    assert failing(candidate(license="MIT"), criteria) is None
    assert failing(candidate(license="GPL-3.0"), criteria) == "licence"
    assert failing(candidate(license=""), criteria) == "licence"


def test_the_order_is_by_what_bounds_the_tasks() -> None:
    many_pulls = candidate(repo="a/a", pulls=9000, closed_issues=10)
    both = candidate(repo="b/b", pulls=2000, closed_issues=1500)
    famous = candidate(repo="c/c", pulls=1500, closed_issues=9000, stars=9000)
    assert [each.repo for each in ranked([many_pulls, both, famous])] == ["c/c", "b/b", "a/a"]


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_list(tmp_path / "list.txt", [candidate(), candidate(repo="o/n.py", contributors=None, license="")])
    assert read_list(tmp_path / "list.txt") == ("octo/sums", "o/n.py")


def test_a_list_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# mine\n\nocto/sums # good\n  o/n\nocto/sums\npypi/tinydb\n")
    assert read_list(path) == ("octo/sums", "o/n", "pypi/tinydb")
    path.write_text("octo/sums\nhttps://github.com/o/n\n")
    with pytest.raises(SettingsError, match=r"list\.txt:2"):
        read_list(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_list(tmp_path / "none.txt")
