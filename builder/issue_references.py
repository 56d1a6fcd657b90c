"""How a text refers to an issue, and whether it is one of this repository. Pure.

The forms are GitHub's ("Autolinked references and URLs", docs.github.com: `#26`, `GH-26`, `owner/name#26`, a URL), in
Markdown or HTML links too, and the slips that still say the same (`GH26`, `# 26`, `name#26`). A number alone is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

_NUMBER = r"[1-9]\d{0,8}(?!_*[^\W_])(?!\.\d)"
_SLUG = r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+"
_PLACE = (
    rf"(?:https?://)?(?P<host>[A-Za-z0-9][\w.-]*(?::\d+)?)/(?P<path>{_SLUG})/"
    rf"(?P<kind>issues|pull|discussions)/(?P<count>{_NUMBER})"
)
_SHORT = (
    rf"GH(?:-|[ \t]?\#|[ \t])?(?P<gh>{_NUMBER})"
    rf"|(?:(?P<slug>{_SLUG})[ \t]?|(?P<name>[A-Za-z0-9][\w.-]*))?"
    rf"(?:\#[ ](?=\#))?(?:\#|(?<=[ \t,])\#[ ])(?P<number>{_NUMBER})"
)
REFERENCE = re.compile(
    rf"""
    \[(?P<label>[^\]\n]{{0,200}})\]
        (?:\([ ]*<?(?P<target>[^)\s>]{{0,300}})[^)\n]{{0,200}}\)|\[(?P<key>[^\]\n]{{0,200}})\])?
    | <a\s[^>]{{0,200}}?href=["'](?P<anchor>[^"']{{0,300}})["'][^>]{{0,200}}>[^<\n]{{0,200}}</a>
    | (?:\#[ ]?(?=http))?<?{_PLACE}(?:[/?\#][^\s)>\],;]*)?>?
    | {_SHORT}
    | (?P<foreign>(?-i:[A-Z][A-Z0-9]{{1,9}}-\d+))(?!\w)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLACE_ALONE = re.compile(_PLACE, re.IGNORECASE)
_SHORT_ALONE = re.compile(rf"(?:issue[ \t]+)?(?:{_SHORT})", re.IGNORECASE)
_DEFINITION = re.compile(r"^[ ]{0,3}\[([^\]\n]{1,200})\]:[ \t]*<?(\S{1,300}?)>?(?:[ \t].*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Home:
    """The repository whose issues count, as a text knows it; all in lower case.

    `names` are with owners, also former ones, `bare` without; `targets` are what the text's link definitions point to.
    """

    names: frozenset[str]
    bare: frozenset[str]
    hosts: frozenset[str]
    targets: dict[str, str]

    @classmethod
    def of(cls, names: Collection[str], host: str, text: str) -> Self:
        """`host` is where the repository's pages are, with the port if there is one."""
        lower = frozenset(name.lower() for name in names)
        hosts = frozenset(f"{prefix}{host.lower()}" for prefix in ("", "www.", "redirect."))
        targets = {key.lower(): target for key, target in _DEFINITION.findall(text)}
        return cls(lower, frozenset(name.rpartition("/")[2] for name in lower), hosts, targets)

    def number(self, reference: re.Match[str]) -> int | None:
        """Of a match of REFERENCE: the issue's number if it is ours; 0 if it is not; None if it is no reference."""
        if reference["label"] is not None:
            return self._linked(reference["label"], reference["target"] or self._target(reference))
        if reference["anchor"] is not None:
            return self._placed(_PLACE_ALONE.match(reference["anchor"])) or 0
        if reference["foreign"]:
            return 0
        return self._placed(reference) if reference["host"] else self._short(reference)

    def _target(self, reference: re.Match[str]) -> str:
        return self.targets.get((reference["key"] or reference["label"]).lower(), "")

    def _linked(self, label: str, target: str) -> int | None:
        place = _PLACE_ALONE.match(target or label)
        if place:
            return self._placed(place)
        short = _SHORT_ALONE.fullmatch(label.strip(" *_"))
        if short is None:
            return None
        return 0 if "://" in target else self._short(short)

    def _placed(self, place: re.Match[str] | None) -> int | None:
        if place is None:
            return None
        ours = place["host"].lower() in self.hosts and place["path"].lower() in self.names
        return int(place["count"]) if ours and place["kind"].lower() == "issues" else 0

    def _short(self, short: re.Match[str]) -> int:
        if short["gh"]:
            return int(short["gh"])
        ours = (not short["slug"] or short["slug"].lower() in self.names) and (
            not short["name"] or short["name"].lower() in self.bare
        )
        return int(short["number"]) if ours else 0
