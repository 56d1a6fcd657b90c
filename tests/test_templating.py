"""Catches scripts with a value missing, and values that the shell would read as something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.templating import Templates


def templates(tmp_path: Path, text: str) -> Templates:
    (tmp_path / "t.j2").write_text(text)
    return Templates(tmp_path)


def test_a_missing_value_is_an_error_and_no_empty_text(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"t\.j2.*absent"):
        templates(tmp_path, "rm -rf {{ absent }}/").render("t.j2")


def test_a_broken_or_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"t\.j2"):
        templates(tmp_path, "{% if %}").render("t.j2")
    with pytest.raises(SettingsError, match="none"):
        Templates(tmp_path).render("none")
    with pytest.raises(SettingsError, match="none"):
        Templates(tmp_path).read("none")


def test_quoted_values_stay_one_word(tmp_path: Path) -> None:
    assert templates(tmp_path, "{{ value | quote }}").render("t.j2", value="a'; rm $HOME") == "'a'\"'\"'; rm $HOME'"


def test_the_paths_of_a_sandbox_are_known(tmp_path: Path) -> None:
    assert templates(tmp_path, "{{ testbed }} {{ env_dir }}\n").render("t.j2") == "/testbed /opt/env\n"
