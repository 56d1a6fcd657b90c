"""Which requirement gives way when a set of them cannot be resolved or installed: the least needed one, one at a time.

The order (environment rules, "relax, then drop"): what the message names, of the highest tier first; a bound goes
before the requirement itself. An attempt's message is read, since a resolver knows best what is in the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.requirements import Requirement as Parsed
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from builder.models import Requirement
from builder.requirement_lines import name_of

_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z0-9])(?:\[[^\]]*\])?"
_BUILD_FAILED = re.compile(rf"Failed to (?:download and )?build(?: source distribution)?:? `{_NAME}(?:==[^`]*)?`")
_INCLUDED = re.compile(rf"`{_NAME}(?:==[^`]*)?` \((?:v[^)]*)\) was included because (.*?)(?:\n\n|$)", re.DOTALL)
_ABSENT = re.compile(
    rf"{_NAME}(?:[=<>!~]=?[^ ]*)? was not found|there (?:is|are) no versions? of {_NAME}|{_NAME} has no wheels"
)
_YANKED = re.compile(rf"{_NAME}[=<>!~]=?[^ ]* (?:was|were) yanked")
_WORD = re.compile(_NAME)


@dataclass
class Ladder:
    """What is still asked for. `relaxed` and `dropped` say what gave way, in words for a lock's header."""

    requirements: list[Requirement]
    wheels_only: set[str] = field(default_factory=set)
    relaxed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [requirement.text for requirement in self.requirements]

    def give_way(self, message: str) -> bool:
        """Take one step that `message` asks for. False if nothing can give way any more."""
        text = re.sub(r"\s+", " ", message)
        failed = _names(_BUILD_FAILED, message)
        if failed:
            return self._build_failed(failed, message)
        if self._pin_yanked(self._direct(_names(_YANKED, text))):
            return True
        absent = self._direct(_names(_ABSENT, text))
        mentioned = absent or self._direct(_words(text))
        if not mentioned and "No solution found" not in text:
            return False
        return self._weaken(mentioned or self._droppable())

    def _build_failed(self, names: list[str], message: str) -> bool:
        """A source distribution cannot be built: first a version with a wheel, then without who wants it."""
        fresh = [name for name in names if name not in self.wheels_only]
        if fresh:
            self.wheels_only.add(fresh[0])
            self.relaxed.append(f"{fresh[0]}: wheels only, a source distribution cannot be built")
            return True
        wanting = self._direct([*names, *_words(" ".join(found[1] for found in _INCLUDED.findall(message)))])
        return self._weaken(wanting or self._droppable())

    def _pin_yanked(self, candidates: list[Requirement]) -> bool:
        """A yank is retroactive, and only an exact version brings a yanked release back: the lower bound's."""
        for requirement in candidates:
            parsed = Parsed(requirement.text)
            lowest = [clause.version for clause in parsed.specifier if clause.operator in (">=", "~=")]
            if lowest:
                parsed.specifier = SpecifierSet(f"=={lowest[0]}")
                position = self.requirements.index(requirement)
                self.requirements[position] = requirement.model_copy(update={"text": str(parsed)})
                self.relaxed.append(requirement.text)
                return True
        return False

    def _direct(self, names: Iterable[str]) -> list[Requirement]:
        wanted = set(names)
        return [requirement for requirement in self.requirements if name_of(requirement.text) in wanted]

    def _droppable(self) -> list[Requirement]:
        """When the message names none of ours, only what tests hardly need may go."""
        return [requirement for requirement in self.requirements if requirement.tier >= 3]

    def _weaken(self, candidates: list[Requirement]) -> bool:
        if not candidates:
            return False
        chosen = max(candidates, key=lambda one: (one.tier, _is_exact(one), _is_bounded(one)))
        position = self.requirements.index(chosen)
        if _is_bounded(chosen):
            self.requirements[position] = chosen.model_copy(update={"text": _unbounded(chosen.text)})
            self.relaxed.append(chosen.text)
        else:
            del self.requirements[position]
            self.dropped.append(chosen.text)
        return True


def _names(pattern: re.Pattern[str], text: str) -> list[str]:
    groups = (group for match in pattern.finditer(text) for group in match.groups() if group)
    return list(dict.fromkeys(canonicalize_name(group) for group in groups))


def _words(text: str) -> Iterator[str]:
    return (canonicalize_name(word) for word in _WORD.findall(text))


def _is_bounded(requirement: Requirement) -> bool:
    return bool(Parsed(requirement.text).specifier)


def _is_exact(requirement: Requirement) -> bool:
    return any(clause.operator in ("==", "===") for clause in Parsed(requirement.text).specifier)


def _unbounded(text: str) -> str:
    parsed = Parsed(text)
    parsed.specifier = SpecifierSet()
    return str(parsed)
