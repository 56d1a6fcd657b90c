"""Render the scripts and texts of `templates/`. The same values give the same bytes; a missing value is an error."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from builder.errors import SettingsError
from builder.protocols import CACHE_DIR, CONTEXT_DIR, ENV_DIR, HOME_DIR, PYTHON_DIR, TESTBED, TOOLS_DIR


class Templates:
    """The templates below `directory`. All know the paths of a sandbox, and the filters `quote` (shell) and
    `double_quote` (Dockerfile)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._environment = Environment(
            loader=FileSystemLoader(directory),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701  scripts and Markdown, no HTML
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["quote"] = lambda value: shlex.quote(str(value))
        self._environment.filters["double_quote"] = double_quote
        self._environment.globals.update(
            testbed=TESTBED,
            env_dir=ENV_DIR,
            context_dir=CONTEXT_DIR,
            cache_dir=CACHE_DIR,
            home_dir=HOME_DIR,
            tools_dir=TOOLS_DIR,
            python_dir=PYTHON_DIR,
        )

    def render(self, name: str, **values: object) -> str:
        """The text of the template `name`. Raises SettingsError naming it if it is missing, broken or lacks a value."""
        try:
            return self._environment.get_template(name).render(**values)
        except TemplateError as error:
            raise SettingsError(f"{self.directory / name}: {error or type(error).__name__}") from error

    def read(self, name: str) -> str:
        """The text of a file that is no template. Raises SettingsError if there is none."""
        try:
            return (self.directory / name).read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{self.directory / name} cannot be read: {error.strerror}") from error


def double_quote(value: object) -> str:
    """A value for ENV and LABEL of a Dockerfile, taken as it is. Raises TemplateError for more than one line."""
    text = str(value)
    if "\n" in text:
        raise TemplateError(f"a Dockerfile's value has one line, not {text!r}")
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'
