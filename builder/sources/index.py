"""Rehydrate tasks from facts: ids, commits and versions in a file, everything else from a clone.

So published sets can be rebuilt without a hosting service, and a set can be handed on without anybody's code or text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from builder.errors import IncompleteHarvestError, SettingsError, UsageError
from builder.models import PullRequest, Sha
from builder.protocols import HarvestRequest
from builder.selection import Selection
from builder.sources._facts import Fact, read_facts
from builder.sources._history import Clone, History, moment, pull_number
from builder.sources._merges import Merge, MergeFinder
from builder.sources._records import Recorder


class _Tip(NamedTuple):
    """What is known of a row's merge commit before its text is read."""

    committed: int
    parents: tuple[Sha, ...]
    number: int


@dataclass(frozen=True)
class _Row:
    fact: Fact
    merge: Merge
    base_given: bool


class IndexSource:
    """Implements `protocols.Source`."""

    name = "index"

    def pull_requests(self, request: HarvestRequest) -> Iterator[PullRequest]:
        """The rows of the repository, newest merge first, with the words of the merge and of `refs/pull/N/head`.

        `base_given` is set, except where the clone shows that `base_commit` is what a rebase started from, or the row
        says `"how_merged": "rebase"`: there the whole range is the change.
        Raises SettingsError, UsageError, RepositoryError or UnknownNameError if nothing can be read at all. A row
        that is broken, or whose commits the clone lacks, does not stop the others: IncompleteHarvestError names all
        such rows, with file and line, after the last good one.
        """
        if request.index is None:
            raise SettingsError(f"{request.repo}: the index source needs a file", hint="Name one with --index.")
        if request.git_dir is None:
            raise UsageError(f"{request.repo}: the index source needs a clone", hint="Name one with --git-dir.")
        selection = Selection.of(request)
        facts = read_facts(request.index, request.repo)
        clone = Clone(request.git_dir)
        history = clone.history()
        rows = _rows(facts.rows, clone, history, facts.problems)
        if not facts.problems:
            selection.check(row.merge.number for row in rows)
        wanted = [row for row in rows if selection.admits(row.merge.number, moment(row.merge.committed))]
        recorder = Recorder(request.repo, clone, frozenset(history.pull_heads))
        del history
        records = recorder.records(row.merge for row in wanted)
        yield from (_given(record, row) for record, row in zip(records, wanted, strict=True))
        if facts.problems:
            raise IncompleteHarvestError(facts.problems)


def create() -> IndexSource:
    return IndexSource()


def _rows(facts: list[Fact], clone: Clone, history: History, problems: list[str]) -> list[_Row]:
    """Newest merge first; what is wrong with the others goes to `problems`."""
    absent = clone.absent(sha for fact in facts for sha in (fact.base_commit, fact.merge_commit))
    lacking = [fact for fact in facts if absent.intersection((fact.base_commit, fact.merge_commit))]
    problems.extend(_absence(fact, clone, absent) for fact in lacking)
    there = [fact for fact in facts if absent.isdisjoint((fact.base_commit, fact.merge_commit))]
    tips = _tips(clone, there)
    finder = MergeFinder(history)
    found = {merge.number: merge for merge in finder.merges()}
    rows: dict[int, _Row] = {}
    for fact in there:
        row = _row(fact, tips[fact.merge_commit], found, finder, history)
        if isinstance(row, str):
            problems.append(row)
        elif row.merge.number in rows:
            problems.append(
                f"{fact.where}: {fact.instance_id} repeats the pull request of {rows[row.merge.number].fact.where}"
            )
        else:
            rows[row.merge.number] = row
    return sorted(rows.values(), key=lambda row: (-row.merge.committed, -row.merge.number))


def _tips(clone: Clone, facts: list[Fact]) -> dict[Sha, _Tip]:
    entries = clone.read(dict.fromkeys(fact.merge_commit for fact in facts))
    return {e.sha: _Tip(int(e.committer_date.timestamp()), e.parents, pull_number(e.subject)[0]) for e in entries}


def _absence(fact: Fact, clone: Clone, absent: set[Sha]) -> str:
    lacking = " and ".join(sha for sha in (fact.base_commit, fact.merge_commit) if sha in absent)
    return f"{fact.where}: {fact.instance_id}: {clone.path} has no commit {lacking}"


def _row(fact: Fact, tip: _Tip, found: dict[int, Merge], finder: MergeFinder, history: History) -> _Row | str:
    number = fact.number or tip.number
    if not number:
        return f"{fact.where}: {fact.instance_id} has no pull_number, and its merge commit names none"
    if not tip.parents:
        return f"{fact.where}: {fact.instance_id}: the merge commit {fact.merge_commit} has no parent"
    known = found.get(number)
    if known and (known.base_commit, known.merge_commit) == (fact.base_commit, fact.merge_commit):
        return _Row(fact, known, base_given=known.how != "rebase")
    how = fact.how_merged or ("merge" if len(tip.parents) > 1 else "squash")
    head = history.pull_heads.get(number)
    commits = finder.commits_of(head) if head else ()
    merge = Merge(number, how, fact.base_commit, fact.merge_commit, tip.committed, head, commits)
    return _Row(fact, merge, base_given=how != "rebase")


def _given(record: PullRequest, row: _Row) -> PullRequest:
    facts = {"instance_id": row.fact.instance_id, "version": row.fact.version}
    return record.model_copy(update={"source": "index", "base_given": row.base_given, **facts})
