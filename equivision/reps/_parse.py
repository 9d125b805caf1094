"""Representations as text, read at the edge only: command line, configuration files, constructors."""

import re
from collections.abc import Callable
from typing import Any

from equivision.errors import GroupMismatchError
from equivision.groups import FiniteGroup, Group, Homomorphism, OrthogonalGroup, PlanarGroup, parse_plane
from equivision.groups import parse as parse_finite
from equivision.reps._base import Representation
from equivision.reps._derived import induced, restricted
from equivision.reps._irreps import irrep, irreps, sign, trivial
from equivision.reps._lines import band_limited
from equivision.reps._orthogonal import names_of
from equivision.reps._permutation import quotient, regular

_TOKEN = re.compile(
    r"\s*(?:(?P<call>(?:Ind|Res)\(\s*(?P<group>\w+)\s*(?P<images>\[[^\]]*\])?\s*:)"
    r"|(?P<name>[A-Za-z][\w*]*)|(?P<number>\d+)|(?P<mark>[+*()]))"
)
_PLAIN: dict[str, Callable[[Any], Representation]] = {"regular": regular, "trivial": trivial, "sign": sign}


def parse(text: Representation | str, group: Group | str) -> Representation:
    """Read a representation such as ``"2 regular + A1"``; a representation of the group passes through unchanged.

    - ``regular``, ``trivial``, ``sign``: these representations;
    - ``A1``, ``E2``, ``AxB``: an irrep by its name (:func:`irreps`);
    - ``band3``: :func:`band_limited` to frequency 3;
    - ``D4/{e, m}``: the quotient by a subgroup, given by its elements;
    - ``a + b``, ``3 a``: direct sum, copies;
    - ``a * b``, ``(a + b)``: tensor product, brackets; ``*`` binds more tightly than ``+`` and stands between spaces;
    - ``Ind(C2: a)``: induced from a representation of a subgroup; ``Ind(D1 [0, 5]: a)`` along a homomorphism, given by
      the images of the elements;
    - ``Res(D8: a)``: restricted from a representation of a larger group, in the same two forms.

    The ``name`` of a representation is such a text: ``parse(rho.name, rho.group) == rho``, unless rho is one in another
    basis, which no word can say.

    Args:
        text: what to read.
        group: the group that is represented, or its name.

    Raises:
        GroupMismatchError: the text is not understood, or the group has no such representation.

    >>> rho = parse("2 regular + E1 * E1", "D4")
    >>> rho.size, rho.name
    (20, '2 regular + E1 * E1')
    """
    of = _group(group)
    if isinstance(text, Representation):
        if text.group != of:
            raise GroupMismatchError(f"{text!r} is a representation of {text.group.name}, not of {of.name}")
        return text
    return _Reader(str(text), of).whole()


def _group(group: Group | str) -> Group:
    if isinstance(group, Group):
        return group
    return parse_plane(group) if str(group).upper() in ("SO2", "O2") else parse_finite(group)


class _Reader:
    """A recursive-descent reader of one text."""

    def __init__(self, text: str, group: Group) -> None:
        self._text, self._group, self._at = text, group, 0

    def whole(self) -> Representation:
        """The text from end to end."""
        found = self._sum(self._group)
        if self._text[self._at :].strip():
            raise self._error()
        return found

    def _error(self) -> GroupMismatchError:
        rest = self._text[self._at :].strip()
        group = self._group
        if isinstance(group, OrthogonalGroup):
            known = f"'4 trivial + 2 E1', of the irreps of {group.name} ({names_of(group)}), band2, products a * b"
        else:
            names = ", ".join(rho.name for rho in _irreps(group))
            known = (
                f"'2 regular + trivial', of regular, the irreps of {group.name} ({names}), quotients such as "
                f"'{group.name}/{{e}}', products a * b, Ind(group: a), Res(group: a)"
            )
        return GroupMismatchError(
            f"representation {self._text!r} is not understood {f'from {rest!r} on' if rest else 'at its end'}: write "
            f"sums such as {known}"
        )

    def _next(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _takes(self, mark: str) -> bool:
        token = self._next()
        if token is None or token["mark"] != mark:
            return False
        self._at = token.end()
        return True

    def _sum(self, group: Group) -> Representation:
        found = self._copies(group)
        while self._takes("+"):
            found = found + self._copies(group)
        return found

    def _copies(self, group: Group) -> Representation:
        token = self._next()
        if token is None or token["number"] is None:
            return self._product(group)
        self._at = token.end()
        count = int(token["number"])
        if count < 1:
            raise self._error()
        return count * self._product(group)

    def _product(self, group: Group) -> Representation:
        found = self._atom(group)
        while self._takes("*"):
            found = found * self._atom(group)
        return found

    def _atom(self, group: Group) -> Representation:
        self._at += len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
        if self._text.startswith(f"{group.name}/{{", self._at):
            return self._quotient(group)
        if self._takes("("):
            return self._closed(self._sum(group))
        token = self._next()
        if token is None:
            raise self._error()
        if token["name"]:
            found = self._irrep(token["name"], group)
        elif token["call"]:
            return self._along(token, group)
        else:
            raise self._error()
        self._at = token.end()
        return found

    def _closed(self, found: Representation) -> Representation:
        if not self._takes(")"):
            raise self._error()
        return found

    def _irrep(self, name: str, group: Group) -> Representation:
        if name in _PLAIN and not (name == "regular" and isinstance(group, OrthogonalGroup)):
            return _PLAIN[name](group)
        if band := re.fullmatch(r"band(\d+)", name):
            return band_limited(group, int(band[1]))
        if isinstance(group, OrthogonalGroup):
            number = re.fullmatch(r"E([1-9]\d*)", name)
            index = {"A": 0, "A1": 0, "A2": 1}.get(name, int(number[1]) + group.reflections if number else -1)
            if index < 0 or irrep(group, index).name != name:
                raise self._error()
            return irrep(group, index)
        for rho in _irreps(group):
            if rho.name == name:
                return rho
        raise self._error()

    def _quotient(self, group: Group) -> Representation:
        """``group/{elements}``."""
        if not isinstance(group, FiniteGroup):
            raise self._error()
        start, end = self._at + len(group.name) + 2, self._text.find("}", self._at)
        numbers = {group.element_name(g): g for g in range(group.order)}
        elements = _listed(self._text[start:end]) if end >= 0 else [""]
        if any(element not in numbers for element in elements):
            raise self._error()
        subgroup = group.subgroup([numbers[element] for element in elements])
        if subgroup.order != len(elements):
            raise self._error()
        self._at = end + 1
        return quotient(subgroup)

    def _along(self, token: re.Match[str], group: Group) -> Representation:
        """``Ind(...)`` or ``Res(...)``."""
        other, up = _group(token["group"]), token["call"].startswith("Ind")
        self._at = token.end()
        inner = self._closed(self._sum(other))
        if isinstance(other, OrthogonalGroup) and isinstance(group, PlanarGroup) and not up:
            return restricted(inner, group)
        if not isinstance(other, FiniteGroup) or not isinstance(group, FiniteGroup):
            raise self._error()
        source, target = (other, group) if up else (group, other)
        to: Homomorphism | PlanarGroup
        if token["images"]:
            to = Homomorphism(source, target, tuple(int(n) for n in re.findall(r"\d+", token["images"])))
        elif isinstance(group, PlanarGroup):
            to = group
        else:
            raise self._error()
        return induced(inner, to) if up else restricted(inner, to)


def _irreps(group: Group) -> tuple[Representation, ...]:
    return irreps(group) if isinstance(group, FiniteGroup) else ()


def _listed(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
