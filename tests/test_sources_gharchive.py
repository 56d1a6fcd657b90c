"""Merged pull requests from hourly event archives: as they were, once each, whatever else the archive holds."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import archive_factory as made
import pytest
from archive_factory import Json, comment, comment_event, issue, issue_event, pull_event, pull_request, write_hour
from history_factory import START, Story

from builder.errors import IncompleteHarvestError, SettingsError, UnknownNameError, UsageError, WorkspaceError
from builder.models import PullRequest, Sha
from builder.protocols import Access, HarvestRequest
from builder.sources import _archive_pass, gharchive
from builder.sources._archive_events import Kind
from builder.sources._archive_files import lines
from builder.sources._archive_pass import ArchivePass
from builder.sources._archive_spool import Spool

MAIN = ("refs/heads/main",)
ABSENT = "1" * 40
ISSUE = issue(1, "Broken", "It breaks.")


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


@pytest.fixture
def sha(tmp_path: Path) -> dict[str, Sha]:
    """A squash that names its number (#2), a rebase of two commits (#4) and a merge in other words (#6)."""
    story = Story()
    story.add("root", "Start\n", refs=MAIN)
    story.add("squash", "Own title (#2)\n\nFixes #1\n", "root", refs=MAIN)
    story.add("r1", "One\n", "squash", refs=MAIN, committed=20)
    story.add("r2", "Two\n\nCloses #3\n", "r1", refs=MAIN, committed=20)
    story.add("topic", "Topic\n", "root")
    story.add("merge", "Merge branch 'topic'\n", "r2", "topic", refs=MAIN)
    return story.write(tmp_path / "r")


def merged(number: int, at: float, merge: Sha, *, words: str = "Fixes #1", **more: Any) -> Json:
    """The event of a merge; opened two hours before unless said otherwise."""
    end = {"merged": True, "merged_at": made.stamp(hours(at)), "merge_commit_sha": merge, "state": "closed"}
    begun = {"created_at": made.stamp(hours(at - 2))}
    return pull_event("closed", hours(at), pull_request(number, f"Title {number}", words, **{**end, **begun, **more}))


def archive(tmp_path: Path, *events: Json) -> None:
    """Each event into the hour that it is of."""
    by_hour: dict[datetime, list[Json]] = {}
    for one in events:
        at = datetime.fromisoformat(one["created_at"])
        by_hour.setdefault(at.replace(minute=0, second=0), []).append(one)
    for hour, of_hour in by_hour.items():
        write_hour(tmp_path / "archive", hour, of_hour)


def request(tmp_path: Path, repo: str = "o/n", **narrowed: Any) -> HarvestRequest:
    folders = {"raw_dir": tmp_path / "raw", "archive_dir": tmp_path / "archive", "git_dir": tmp_path / "r"}
    return HarvestRequest(repo=repo, work_dir=tmp_path, **{**folders, **narrowed})


def harvested(tmp_path: Path, repo: str = "o/n", **narrowed: Any) -> list[PullRequest]:
    return list(gharchive.create().pull_requests(request(tmp_path, repo, **narrowed)))


def incomplete(offered: Iterator[PullRequest]) -> tuple[list[int], tuple[str, ...]]:
    """The numbers that came, and the problems that were named after them."""
    numbers: list[int] = []
    with pytest.raises(IncompleteHarvestError) as caught:
        numbers.extend(each.number for each in offered)
    return numbers, caught.value.problems


# --- what a record says -------------------------------------------------------------------------------------


def test_a_merge_becomes_a_record_with_its_issue(tmp_path: Path, sha: dict[str, Sha]) -> None:
    ends: Json = {"base": {"sha": ABSENT}, "head": {"sha": "2" * 40}, "labels": [{"name": "bug"}]}
    archive(tmp_path, issue_event("opened", hours(1), ISSUE), merged(2, 9, sha["squash"], **ends))
    (found,) = harvested(tmp_path)
    assert (found.repo, found.number, found.title, found.body) == ("o/n", 2, "Title 2", "Fixes #1")
    assert (found.base_commit, found.merge_commit, found.how_merged) == (sha["root"], sha["squash"], "squash")
    assert (found.created_at, found.merged_at, found.source) == (hours(7), hours(9), "gharchive")
    assert (found.pr_base_sha, found.head_sha, found.labels) == (ABSENT, "2" * 40, ("bug",))
    assert [(link.number, link.source) for link in found.links] == [(1, "body")]
    (told,) = found.issues
    assert (told.title, told.body, told.created_at, told.body_as_of) == ("Broken", "It breaks.", START, hours(1))


def test_without_a_clone_the_source_makes_one(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Whoever harvests hundreds of repositories from an archive has no clones of them."""
    archive(tmp_path, merged(2, 9, sha["squash"]))
    access = Access(clone_url=f"file://{tmp_path / 'r'}")
    (found,) = harvested(tmp_path, git_dir=None, access=access)
    assert found.merge_commit == sha["squash"]
    assert found.git_dir == str(tmp_path / "clones/o__n.git")
    (named,) = harvested(tmp_path)
    assert [commit.sha for commit in found.commits] == [commit.sha for commit in named.commits]
    (again,) = harvested(tmp_path, git_dir=None, replay=True)
    assert again == found


def test_t05_the_issue_is_what_it_was_when_the_pull_request_was_opened(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches an issue's text that was edited after the fix was known."""
    archive(
        tmp_path,
        issue_event("opened", hours(1), issue(1, "First", "first")),
        comment_event(hours(6), issue(1, "Second", "second"), comment(5, "me too", hours(6))),
        issue_event("closed", hours(10), issue(1, "Third", "the fix is …")),
        merged(2, 9, sha["squash"]),
    )
    (found,) = harvested(tmp_path)
    assert [(told.title, told.body, told.body_as_of) for told in found.issues] == [("Second", "second", hours(6))]


def test_t05_a_text_that_was_only_seen_later_is_marked(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches a later text passing for the one that was there, or the latest being taken where an earlier is known."""
    later = [issue_event("closed", hours(9.5), ISSUE), issue_event("reopened", hours(12), issue(1, "Z", "z"))]
    archive(tmp_path, *later, merged(2, 9, sha["squash"]))
    (found,) = harvested(tmp_path)
    assert [(told.title, told.body_as_of) for told in found.issues] == [("Broken", None)]


def test_t05_an_edit_tells_what_it_replaced(tmp_path: Path, sha: dict[str, Sha]) -> None:
    edit = issue_event("edited", hours(7.5), issue(1, "Broken", "solved so"), changes={"body": {"from": "as it was"}})
    archive(tmp_path, edit, merged(2, 10, sha["squash"]), merged(6, 9, sha["merge"], created_at="2024-01-01T07:00:00Z"))
    bodies = {found.number: [(told.body, told.body_as_of) for told in found.issues] for found in harvested(tmp_path)}
    assert bodies == {2: [("solved so", hours(7.5))], 6: [("as it was", None)]}


def test_the_words_are_those_of_the_merge(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches the words of the opening, or of an edit long after; while commits are those last known."""
    before = pull_request(2, "Draft", "nothing yet", head={"sha": "3" * 40}, labels=[])
    after = merged(2, 9, sha["squash"], words="fixes #7", head={"sha": "4" * 40})
    after["payload"]["action"], after["created_at"] = "edited", made.stamp(hours(15))
    archive(tmp_path, pull_event("opened", hours(7), before), merged(2, 9, sha["squash"]), after)
    (found,) = harvested(tmp_path)
    assert (found.body, found.head_sha) == ("Fixes #1", "4" * 40)


def test_comments_by_date_of_the_issue_alone(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """T03: catches comments in the order of events, a deleted author stopping all, an edit after the fact, comments
    that were withdrawn, and those on the pull request itself."""
    pull = issue(2, "Title 2", "Fixes #1", pull_request={"url": "u", "merged_at": None})
    said = [comment(31, "late", hours(6)), comment(30, "early", hours(5), None), comment(32, "withdrawn", hours(6.5))]
    archive(
        tmp_path,
        *(comment_event(hours(6 + each / 10), ISSUE, one) for each, one in enumerate(said)),
        comment_event(hours(8), ISSUE, comment(31, "now with the fix", hours(6)), action="edited"),
        comment_event(hours(8), ISSUE, comment(32, "withdrawn", hours(6.5)), action="deleted"),
        comment_event(hours(8), pull, comment(33, "looks good", hours(8))),
        merged(2, 9, sha["squash"]),
    )
    (found,) = harvested(tmp_path)
    (told,) = found.issues
    comments = [(one.author, one.created_at, one.body) for one in told.comments]
    assert comments == [(None, hours(5), "early"), ("cleo", hours(6), "late")]


def test_links_are_to_issues_and_from_everywhere(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches a link to another pull request, the squash's own message unread, and an issue invented for a link whose
    issue the archive lacks."""
    words = "Fixes #3, fixes #6, closes #8"
    unmerged = pull_event("opened", hours(3), pull_request(8, "Other", None))
    archive(tmp_path, unmerged, merged(2, 9, sha["squash"], words=words), merged(6, 8, sha["merge"], words=""))
    found = {each.number: each for each in harvested(tmp_path)}
    assert [(link.number, link.source) for link in found[2].links] == [(3, "body"), (1, "commit")]
    assert found[2].issues == ()


@pytest.mark.parametrize(("merge", "how", "base"), [("r2", "rebase", "squash"), ("merge", "merge", "r2")])
def test_where_a_merge_began(tmp_path: Path, sha: dict[str, Sha], merge: str, how: str, base: str) -> None:
    """Catches a rebase of two commits that shrinks to its last one, though the clone has no `refs/pull/4/head`."""
    archive(tmp_path, merged(4, 21, sha[merge], commits=2))
    (found,) = harvested(tmp_path)
    assert (found.how_merged, found.base_commit, found.merge_commit) == (how, sha[base], sha[merge])


def test_one_commit_committed_apart_is_a_squash(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches commits of others that are taken for a part of a rebase."""
    archive(tmp_path, merged(4, 21, sha["r2"], commits=3))
    assert [each.base_commit for each in harvested(tmp_path)] == [sha["r1"]]


# --- generations of the format ------------------------------------------------------------------------------


def test_trimmed_events_are_completed_from_the_history(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches pull requests since October 2025 being lost, or made without words."""
    trimmed = made.trimmed_pull_request(2, sha["root"], "5" * 40)
    archive(tmp_path, pull_event("opened", hours(7), trimmed), pull_event("merged", hours(9), trimmed))
    (found,) = harvested(tmp_path)
    assert (found.title, found.body, found.merge_commit) == ("Own title", "Fixes #1", sha["squash"])
    assert (found.created_at, found.merged_at, found.head_sha) == (hours(7), hours(9), "5" * 40)
    assert [link.number for link in found.links] == [1]


def test_a_comment_brings_the_words_that_trimmed_events_lack(tmp_path: Path, sha: dict[str, Sha]) -> None:
    opened = {"pull_request": {"url": "u", "merged_at": None}, "labels": [{"name": "bug"}]}
    said = comment_event(hours(8), issue(2, "Told", "resolves #1", hours(6), **opened), comment(9, "ok", hours(8)))
    trimmed = made.trimmed_pull_request(2, sha["root"], "5" * 40)
    archive(tmp_path, said, pull_event("merged", hours(9), trimmed))
    (found,) = harvested(tmp_path)
    assert (found.title, found.body, found.created_at, found.labels) == ("Told", "resolves #1", hours(6), ("bug",))


def test_a_trimmed_close_is_no_merge(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches every closed pull request since October 2025 passing for merged."""
    archive(tmp_path, pull_event("closed", hours(9), made.trimmed_pull_request(2, sha["root"], "5" * 40)))
    assert harvested(tmp_path) == []


def test_the_timeline_of_2012_to_2014(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches the older shape being passed over: `repository`, an offset, no ids, several events without a newline."""
    end = {"merged": True, "merged_at": "2024-01-01T09:00:00Z", "merge_commit_sha": sha["squash"]}
    pull = pull_request(2, "Old", "Fixes #1", created_at="2024-01-01T07:00:00Z", **end)
    timeline = {"repository": {"id": 7, "owner": "O", "name": "n"}, "public": True, "actor": "ann"}
    told: list[Json] = [
        {"type": "IssuesEvent", "payload": {"action": "opened", "issue": 99, "number": 1}},
        {"type": "PullRequestEvent", "payload": {"action": "closed", "number": 2, "pull_request": pull}},
        {"type": "GistEvent", "payload": {}, "repository": None},
    ]
    joined = "".join(json.dumps({**timeline, "created_at": "2024/01/01 01:00:01 -0800", **each}) for each in told)
    path = tmp_path / "archive" / "2024-01-01-9.json.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress((joined + "\n" + joined).encode()))
    (found,) = harvested(tmp_path)
    assert (found.title, found.merged_at, found.issues) == ("Old", hours(9), ())


def test_an_issue_of_before_2015_had_an_empty_pull_request(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches all issues of those years passing for pull requests."""
    empty = {"html_url": None, "diff_url": None, "patch_url": None}
    archive(
        tmp_path,
        issue_event("opened", hours(1), issue(1, "Old", "text", pull_request=empty)),
        merged(2, 9, sha["squash"]),
    )
    assert [told.title for told in harvested(tmp_path)[0].issues] == ["Old"]


# --- which events count -------------------------------------------------------------------------------------


def test_an_event_counts_once_however_often_it_is_there(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches doubled comments where hours overlap, and events lost because ids began anew in October 2025."""
    said = comment_event(hours(5), ISSUE, comment(30, "early", hours(5)), event_id=77)
    archive(tmp_path, said, said, merged(2, 9, sha["squash"]))
    write_hour(tmp_path / "archive", hours(6), [said])
    write_hour(
        tmp_path / "archive", hours(7), [comment_event(hours(6), ISSUE, comment(31, "x", hours(6)), event_id=77)]
    )
    (found,) = harvested(tmp_path)
    assert [one.body for one in found.issues[0].comments] == ["early", "x"]
    with Spool(gharchive.spool_path(tmp_path / "raw")) as spool:
        assert len(list(spool.sightings(1, Kind.COMMENT, 1))) == 2


def test_names_in_any_case_and_under_former_names(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches events lost at a rename: whoever has the wanted name last is followed back by its id."""
    former = issue_event("opened", hours(1), ISSUE, repo="old-owner/former")
    fixing = merged(2, 9, sha["squash"], words="Fixes old-owner/former#1")
    archive(tmp_path, former, fixing)
    (found,) = harvested(tmp_path, "O/N")
    assert (found.repo, [told.title for told in found.issues]) == ("O/N", ["Broken"])
    assert [link.repo for link in found.links] == ["O/N"]


def test_who_had_the_name_before_is_another_repository(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches the issues and merges of two repositories under one number."""
    stranger = issue_event("opened", hours(1), issue(1, "Not ours", ""), repo_id=8)
    archive(tmp_path, stranger, merged(2, 9, sha["squash"]))
    assert harvested(tmp_path)[0].issues == ()


def test_what_only_mentions_the_repository_is_not_its(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches a test of bytes that takes a name in a text, or in a fork's payload, for the event's repository."""
    forged = '{"id":"1","type":"PullRequestEvent","repo":{"id":7,"name":"o/n"}'
    fork = pull_request(2, "Elsewhere", forged, base={"repo": made.repository("o/n", 7)})
    archive(tmp_path, pull_event("opened", hours(5), fork, repo="x/y", repo_id=9), merged(4, 21, sha["r2"]))
    assert [each.number for each in harvested(tmp_path)] == [4]


def test_since_until_pulls(tmp_path: Path, sha: dict[str, Sha]) -> None:
    archive(tmp_path, merged(2, 9, sha["squash"]), merged(6, 30, sha["merge"]), merged(4, 21, sha["r2"]))
    assert [each.number for each in harvested(tmp_path)] == [6, 4, 2]
    assert [each.number for each in harvested(tmp_path, since="2024-01-02")] == [6]
    assert [each.number for each in harvested(tmp_path, until="2024-01-01T12:00")] == [2]
    assert [each.number for each in harvested(tmp_path, pulls=(4,))] == [4]
    with pytest.raises(UnknownNameError, match="pull request '5'"):
        harvested(tmp_path, pulls=(5,))


# --- one pass, and going on ---------------------------------------------------------------------------------


def test_one_pass_serves_all_repositories(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches the archive being read for each repository: it is gone after the first."""
    other = merged(6, 8, sha["merge"])
    other["repo"] = {"id": 9, "name": "x/y"}
    archive(tmp_path, merged(2, 9, sha["squash"]), other)
    source, together = gharchive.create(), ("o/n", "x/y")
    first = list(source.pull_requests(request(tmp_path, "o/n", together=together)))
    for path in (tmp_path / "archive").iterdir():
        path.unlink()
    second = list(source.pull_requests(request(tmp_path, "x/y", together=together)))
    assert [(each.repo, each.number) for each in (*first, *second)] == [("o/n", 2), ("x/y", 6)]


def files_read(tmp_path: Path, *names: str) -> int:
    with Spool(gharchive.spool_path(tmp_path / "raw")) as spool:
        archive_pass = ArchivePass(tmp_path / "archive", spool)
        archive_pass.run(names)
        return archive_pass.files


def test_only_what_was_not_read_is_read(tmp_path: Path, sha: dict[str, Sha]) -> None:
    archive(tmp_path, merged(2, 9, sha["squash"]), merged(4, 21, sha["r2"]))
    assert files_read(tmp_path, "o/n") == 2
    assert files_read(tmp_path, "O/n") == 0
    archive(tmp_path, merged(6, 30, sha["merge"]))
    assert files_read(tmp_path, "o/n") == 1
    assert files_read(tmp_path, "o/n", "new/one") == 3
    assert files_read(tmp_path, "o/n", "new/one") == 0
    assert [each.number for each in harvested(tmp_path)] == [6, 4, 2]


def test_a_killed_pass_goes_on_where_it_was(
    tmp_path: Path, sha: dict[str, Sha], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a file that counts as read though it was not, and one whose events count twice."""
    begun = comment_event(hours(5), ISSUE, comment(30, "early", hours(5)))
    archive(tmp_path, begun, merged(2, 5.5, sha["squash"], created_at="2024-01-01T05:00:00Z"), merged(4, 21, sha["r2"]))
    real = lines

    def killed(path: Path) -> Iterator[bytes]:
        for position, line in enumerate(real(path)):
            if position == 1:
                raise KeyboardInterrupt
            yield line

    monkeypatch.setattr(_archive_pass, "lines", killed)
    with pytest.raises(KeyboardInterrupt):
        harvested(tmp_path)
    monkeypatch.undo()
    assert files_read(tmp_path, "o/n") == 1
    found = harvested(tmp_path)
    assert [(each.number, len(each.issues)) for each in found] == [(4, 1), (2, 1)]
    assert [one.body for one in found[1].issues[0].comments] == ["early"]


def test_replay_reads_no_archive(tmp_path: Path, sha: dict[str, Sha]) -> None:
    with pytest.raises(UsageError, match="nothing to replay"):
        harvested(tmp_path, replay=True, archive_dir=None)
    archive(tmp_path, merged(2, 9, sha["squash"]))
    once = harvested(tmp_path)
    assert harvested(tmp_path, replay=True, archive_dir=None) == once


# --- what is wrong ------------------------------------------------------------------------------------------


def test_damaged_files_are_named_and_the_rest_goes_on(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches one bad download ending a pass over years; what it still holds counts, and it is tried again."""
    noise = list(made.noise(hours(9), 200, random.Random(1)))
    path = write_hour(tmp_path / "archive", hours(9), [merged(2, 9, sha["squash"]), *noise])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "archive" / "2024-01-01-10.json.gz").write_bytes(b"<html>not found</html>")
    (tmp_path / "archive" / "2024-01-01-11.json.gz").write_bytes(b"")
    archive(tmp_path, merged(4, 21, sha["r2"]))
    source = gharchive.create()
    numbers, problems = incomplete(source.pull_requests(request(tmp_path)))
    assert numbers == [4, 2]
    assert [problem.removeprefix(f"{tmp_path}/archive/").split(":")[0] for problem in problems] == [
        "2024-01-01-11.json.gz",
        "2024-01-01-10.json.gz",
        "2024-01-01-9.json.gz",
    ]
    path.write_bytes(whole)
    assert files_read(tmp_path, "o/n") == 3


def test_a_broken_line_is_named(tmp_path: Path, sha: dict[str, Sha]) -> None:
    path = write_hour(tmp_path / "archive", hours(9), [merged(2, 9, sha["squash"])])
    broken = made.line(merged(4, 9, sha["r2"]))[:-9] + b"\n"
    path.write_bytes(gzip.compress(broken) + path.read_bytes())
    numbers, problems = incomplete(gharchive.create().pull_requests(request(tmp_path)))
    assert numbers == [2]
    assert "2024-01-01-9.json.gz:1:" in problems[0]


def test_a_merge_that_the_clone_lacks_is_named(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches one lost commit ending the harvest of its repository (T04)."""
    trimmed = pull_event("merged", hours(7), made.trimmed_pull_request(12, sha["root"], ABSENT))
    archive(tmp_path, merged(10, 9, ABSENT), merged(4, 8, sha["r2"]), trimmed)
    numbers, problems = incomplete(gharchive.create().pull_requests(request(tmp_path)))
    assert numbers == [4]
    assert [problem.split(": ")[0] for problem in problems] == ["o/n#10", "o/n#12"]
    assert ABSENT in problems[0]


def test_a_repository_that_the_archive_does_not_mention(tmp_path: Path, sha: dict[str, Sha]) -> None:
    """Catches a misspelt name passing for a repository without pull requests."""
    archive(tmp_path, merged(2, 9, sha["squash"]))
    assert incomplete(gharchive.create().pull_requests(request(tmp_path, "o/m")))[1] == (
        "o/m: the archive does not mention it",
    )


def test_what_cannot_be_read_at_all_is_an_error_at_once(tmp_path: Path, sha: dict[str, Sha]) -> None:
    with pytest.raises(UsageError, match="--archive-dir"):
        harvested(tmp_path, archive_dir=None)
    with pytest.raises(SettingsError, match="is not a directory"):
        harvested(tmp_path)
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "2024-13-01-1.json.gz").write_bytes(b"")
    with pytest.raises(SettingsError, match="no hourly archive"):
        harvested(tmp_path)
    archive(tmp_path, merged(2, 9, sha["squash"]))
    gharchive.spool_path(tmp_path / "raw").write_bytes(b"x" * 5000)
    with pytest.raises(WorkspaceError, match=r"spool\.db cannot be used"):
        harvested(tmp_path)
