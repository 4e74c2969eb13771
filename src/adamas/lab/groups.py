"""Groups of problems by one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .problems import Problem, registry

GROUPS: dict[str, Callable[[Problem], bool]] = {
    "noise-free": lambda problem: problem.noise_free,
    "all": lambda problem: True,
}


def expand_groups(names: Sequence[str]) -> tuple[str, ...]:
    """Names of problems, with the name of a group replaced by its problems; each of these once.

    Problems that need a library which is not installed are left out of groups; named alone they are refused.

    Args:
        names: Problems and groups. Names that are neither stay, for `get_problem` to refuse; so do problems named
            twice, which is a mistake to be told.
    """
    found: list[str] = []
    for name in names:
        group = GROUPS.get(name.lower())
        if group is None:
            found.append(name)
            continue
        members = [p.name for p in registry().values() if group(p) and not p.missing()]
        found += [member for member in members if member not in found]
    return tuple(found)
