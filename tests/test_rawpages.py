from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.errors import WorkspaceError
from builder.rawpages import RawPages


def body(number: int) -> bytes:
    return json.dumps({"data": {"number": number}}).encode("ascii")


def filled(root: Path) -> RawPages:
    pages = RawPages(root)
    for number in range(3):
        pages.add("pulls", {"walk": 1, "position": number}, body(number), points=4)
    pages.add("issues", {"numbers": [7]}, body(7), points=1)
    return pages


def read(pages: RawPages, kind: str) -> list[int]:
    return [pages.body(page)["data"]["number"] for page in pages.pages(kind)]


def test_pages_come_back_in_their_order(tmp_path: Path) -> None:
    """A second harvest would ask again for what is there."""
    filled(tmp_path)
    again = RawPages(tmp_path)
    assert (read(again, "pulls"), read(again, "issues"), read(again, "other")) == ([0, 1, 2], [7], [])
    assert [page.facts["position"] for page in again.pages("pulls")] == [0, 1, 2]
    assert again.points() == 13


def test_equal_answers_are_kept_once(tmp_path: Path) -> None:
    pages = filled(tmp_path)
    pages.add("issues", {"numbers": [7]}, body(7), points=1)
    assert len(list((tmp_path / "pages").rglob("*.z"))) == 4
    assert read(RawPages(tmp_path), "issues") == [7, 7]


@pytest.mark.parametrize("kept", [1, 20, 200])
def test_a_torn_last_line_is_forgotten_and_written_over(tmp_path: Path, kept: int) -> None:
    """A kill while a line is written would make the journal unreadable, or join two lines."""
    filled(tmp_path)
    journal = tmp_path / "pages.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][: min(kept, len(lines[3]) - 1)])
    torn = RawPages(tmp_path)
    assert (read(torn, "pulls"), read(torn, "issues")) == ([0, 1, 2], [])
    torn.add("issues", {"numbers": [8]}, body(8), points=1)
    assert read(RawPages(tmp_path), "issues") == [8]


def test_a_page_whose_journal_line_is_lost_is_written_again(tmp_path: Path) -> None:
    """A kill between the page and its line would leave a page that is never named."""
    filled(tmp_path)
    (tmp_path / "pages.jsonl").write_bytes(b"")
    assert read(filled(tmp_path), "pulls") == [0, 1, 2]


def test_damage_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Bytes that rotted would become wrong records."""
    pages = filled(tmp_path)
    page = pages.pages("issues")[0]
    path = tmp_path / "pages" / page.digest[:2] / f"{page.digest}.json.z"
    other = pages.pages("pulls")[0]
    path.write_bytes((tmp_path / "pages" / other.digest[:2] / f"{other.digest}.json.z").read_bytes())
    with pytest.raises(WorkspaceError, match="damaged"):
        pages.body(page)
    path.write_bytes(b"nothing")
    with pytest.raises(WorkspaceError, match="cannot be read"):
        pages.body(page)
    path.unlink()
    with pytest.raises(WorkspaceError, match="harvest again"):
        pages.body(page)


def test_a_damaged_journal_is_named_by_its_line(tmp_path: Path) -> None:
    filled(tmp_path)
    journal = tmp_path / "pages.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"sha256"', b'"sha"', 1))
    with pytest.raises(WorkspaceError, match=r"pages\.jsonl:1 is damaged"):
        RawPages(tmp_path)


def test_pages_are_kept_compressed(tmp_path: Path) -> None:
    """Raw pages of a large repository are hundreds of megabytes."""
    pages = RawPages(tmp_path)
    pages.add("pulls", {}, json.dumps({"data": ["the same words"] * 1000}).encode("ascii"), points=1)
    assert sum(path.stat().st_size for path in (tmp_path / "pages").rglob("*.z")) < 1000
