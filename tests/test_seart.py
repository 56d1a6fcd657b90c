from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.repositories import Criteria
from builder.seart import from_seart

HEADER = (
    "id,name,isFork,commits,branches,releases,forks,mainLanguage,defaultBranch,license,homepage,watchers,stargazers,"
    "contributors,size,createdAt,pushedAt,updatedAt,totalIssues,openIssues,totalPullRequests,openPullRequests,blankLines,"
    "codeLines,commentLines,metrics,lastCommit,lastCommitSHA,hasWiki,isArchived,isDisabled,isLocked,languages,labels,topics"
)


def row(name: str, *, stars: str = "900", created: str = "2015-03-01T10:00:00", license_: str = "MIT License") -> str:
    return (
        f'1,{name},false,5000,10,20,300,Python,main,"{license_}",,50,{stars},250,9999,{created},2024-01-01T00:00:00,'
        f"2024-01-02T00:00:00,1200,100,3000,20,900,12000,800,,2024-01-01T00:00:00,abc,true,false,false,false,Python,,"
    )


def test_an_export_is_read_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("\n".join([HEADER, row("o/good"), row("o/small", stars="500"), row("o/new", created="2023-01-01")]))
    chosen = from_seart(path, Criteria())
    (found,) = chosen.candidates
    assert (found.repo, found.stars, found.contributors, found.lines) == ("o/good", 900, 250, 12000)
    assert (found.pulls, found.closed_issues, found.license) == (3000, 1200, "MIT")
    assert chosen.failed == {"stars": 1, "created": 1}


def test_an_older_export_with_other_headers(tmp_path: Path) -> None:
    """Older exports write `Total Pull Requests`, and have no lines of code."""
    path = tmp_path / "old.csv"
    path.write_text(
        "Name,Is Fork Project,Main Language,License,Stargazers,Contributors,Created At,Total Issues,"
        "Total Pull Requests\no/old,false,Python,Apache License 2.0,1500,150,2014-01-01,700,800\n",
        encoding="utf-8-sig",
    )
    assert [each.license for each in from_seart(path, Criteria()).candidates] == ["Apache-2.0"]


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A row that vanishes silently is a repository that nobody misses."""
    path = tmp_path / "results.csv"
    path.write_text("\n".join([HEADER, row("o/bad", stars="many"), row("o/good"), row("o/when", created="soon")]))
    chosen = from_seart(path, Criteria())
    assert [each.repo for each in chosen.candidates] == ["o/good"]
    assert [problem.split(": ")[0].rsplit(":", 1)[1] for problem in chosen.problems] == ["2", "4"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("name,stars\no/n,7\n")
    with pytest.raises(SettingsError, match="no column for language, created, pulls, contributors"):
        from_seart(path, Criteria())
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        from_seart(path, Criteria())
