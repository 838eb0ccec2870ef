"""Static inventories of Ansible: INI with ranges, children and variables; YAML; and the JSON of
`ansible-inventory --list`, for what only Ansible itself can work out.

Decides which machines an inventory lists, in which groups, and how they are reached: the variables
`ansible_host`, `ansible_port` and `ansible_user`, nearest first (machine, child, parent, `all`).
Refuses to run anything: templates and plugins are named as skipped. Refuses to know where a file
is.
"""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.extras import brought_by
from muster.core.values import dataclass
from muster.manager.listing import MACHINES, Collector
from muster.manager.model import Inventory

GROUPS = 10_000
"""More groups than these one inventory does not have."""
_NESTED = 128
"""A group is not in more groups than these."""
_MEMBERSHIPS = 1_000_000
"""Machines of all groups together; one machine may be in many."""
_ALL, _UNGROUPED = "all", "ungrouped"
_VARIABLES = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "account",
    "ansible_ssh_user": "account",
}
Variables = dict[str, str]


class _Group:
    """A group while an inventory is read: its machines, the groups in it, its variables."""

    __slots__ = ("children", "machines", "variables")

    def __init__(self) -> None:
        self.machines: dict[str, None] = {}
        self.children: dict[str, None] = {}
        self.variables: Variables = {}


class _Tree:
    """All groups of an inventory, and what is said of single machines."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.groups: dict[str, _Group] = {_ALL: _Group()}
        self.machines: dict[str, Variables] = {}
        self.lines: dict[str, int] = {}
        self._memberships = 0

    def group(self, name: str) -> _Group:
        if name not in self.groups and len(self.groups) == GROUPS:
            raise self.bad(f"it has more than {GROUPS} groups")
        return self.groups.setdefault(name, _Group())

    def machine(self, name: str, group: str, variables: Variables, line: int = 0) -> None:
        if name not in self.machines and len(self.machines) == MACHINES:
            raise self.bad(f"it lists more than {MACHINES} machines")
        self.machines.setdefault(name, {}).update(variables)
        self.lines.setdefault(name, line)
        self._memberships += 1
        if self._memberships > _MEMBERSHIPS:
            raise self.bad(f"its groups have more than {_MEMBERSHIPS} members together")
        self.group(group).machines[name] = None

    def bad(self, detail: str) -> MusterError:
        return error("manager/inventory", path=self.path, detail=detail)


@dataclass(frozen=True, slots=True)
class _Section:
    """A section of an INI file: `[group]`, `[group:children]` or `[group:vars]`."""

    group: str
    kind: str


def read_ini(text: str, path: str) -> Inventory:
    """The machines of an inventory in Ansible's INI form.

    Raises: `manager/inventory` with the line that is none of it.
    """
    tree = _Tree(path)
    section = _Section(_UNGROUPED, "")
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        try:
            if line.startswith("["):
                section = _section(line)
                tree.group(section.group)
            else:
                _read_line(tree, section, line, number)
        except ValueError as fault:
            raise tree.bad(f"line {number}: {fault}") from None
    return _flattened(tree)


def _section(line: str) -> _Section:
    head, closed, rest = line[1:].partition("]")
    if not closed or (rest.strip() and not rest.strip().startswith(("#", ";"))):
        raise ValueError("a section is [group], [group:children] or [group:vars]")
    group, _, kind = head.strip().partition(":")
    if not group or kind not in ("", "children", "vars"):
        raise ValueError(f"[{head}] is none of [group], [group:children], [group:vars]")
    return _Section(group, kind)


def _read_line(tree: _Tree, section: _Section, line: str, number: int) -> None:
    if section.kind == "vars":
        name, equals, value = line.partition("=")
        if not equals:
            raise ValueError("a variable is NAME=VALUE")
        tree.group(section.group).variables[name.strip()] = _unquoted(value.strip())
        return
    words = shlex.split(line, comments=True)
    if section.kind == "children":
        tree.group(words[0])
        tree.group(section.group).children[words[0]] = None
        return
    variables = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is no variable such as ansible_host=10.0.0.5")
        variables[name] = value
    for machine in _expanded(words[0]):
        tree.machine(machine, section.group, variables, number)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _expanded(name: str) -> Iterator[str]:
    """The names of a line: `www[01:50].example.com`, `db-[a:f]`, `pc[0:10:2]`, several in one."""
    parts: list[list[str]] = []
    rest = name
    total = 1
    while "[" in rest:
        before, _, rest = rest.partition("[")
        inside, closed, rest = rest.partition("]")
        if not closed:
            raise ValueError(f"{name!r} has a range that does not end")
        members = _range(inside)
        total *= len(members)
        if total > MACHINES:
            raise ValueError(f"{name!r} stands for more than {MACHINES} machines")
        parts += [[before], members]
    for chosen in itertools.product(*parts, [rest]):
        yield "".join(chosen)


def _range(text: str) -> list[str]:
    bounds = text.split(":")
    if len(bounds) not in (2, 3) or not all(bounds[1:]):
        raise ValueError(f"[{text}] is no range such as [01:50], [a:f] or [0:10:2]")
    first, last = bounds[0] or "0", bounds[1]
    step = bounds[2] if len(bounds) == 3 else "1"
    short = all(word.isascii() and word.isdecimal() and len(word) <= 9 for word in (last, step))
    if short and first.isascii() and first.isdecimal() and len(first) <= 9:
        width = len(first) if first.startswith("0") else 0
        if width and len(first) != len(last):
            raise ValueError(f"[{text}] begins and ends with numbers of different width")
        if int(step) < 1 or int(last) < int(first):
            raise ValueError(f"[{text}] does not go upwards")
        if (int(last) - int(first)) // int(step) >= MACHINES:
            raise ValueError(f"[{text}] stands for more than {MACHINES} machines")
        return [str(n).zfill(width) for n in range(int(first), int(last) + 1, int(step))]
    letters = len(first) == len(last) == 1 and (first + last).isascii() and (first + last).isalpha()
    if not letters or first > last or first.islower() != last.islower():
        raise ValueError(f"[{text}] is no range such as [01:50], [a:f] or [0:10:2]")
    if not step.isdecimal() or len(step) > 2 or int(step) < 1:
        raise ValueError(f"[{text}] has no step such as 2")
    return [chr(n) for n in range(ord(first), ord(last) + 1, int(step))]


def read_yaml(text: str, path: str) -> Inventory:
    """The machines of an inventory in Ansible's YAML form.

    Raises: `manager/inventory`; `command/extra` without PyYAML.
    """
    with brought_by("manager", "YAML"):
        import yaml
    try:
        # All scalars are texts: a group may be called "on", and a port is a number to nobody else.
        value = yaml.load(text, yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        detail = " ".join(str(fault).split()) or "it is nested too deeply"
        raise error("manager/inventory", path=path, detail=f"it is no YAML: {detail}") from None
    tree = _Tree(path)
    if not isinstance(value, dict):
        raise tree.bad("it is no YAML with groups at its top")
    _read_groups(tree, value)
    return _flattened(tree)


def _read_groups(tree: _Tree, top: Mapping[str, Any]) -> None:
    waiting: list[tuple[str, Any]] = list(top.items())
    seen: set[tuple[str, int]] = set()
    while waiting:
        name, body = waiting.pop()
        group = tree.group(str(name))
        if body in (None, "") or (name, id(body)) in seen:
            continue
        seen.add((name, id(body)))
        members = _mapping(tree, body, f"group {name!r}")
        for machine, said in _mapping(tree, members.get("hosts"), f"hosts of {name!r}").items():
            variables = _scalars(_mapping(tree, said, f"machine {machine!r}"))
            for one in _names(tree, str(machine)):
                tree.machine(one, str(name), variables)
        children = _mapping(tree, members.get("children"), f"children of {name!r}")
        for child in children:
            group.children[str(child)] = None
        waiting += children.items()
        group.variables.update(_scalars(_mapping(tree, members.get("vars"), f"vars of {name!r}")))


def _names(tree: _Tree, name: str) -> list[str]:
    try:
        return list(_expanded(name))
    except ValueError as fault:
        raise tree.bad(str(fault)) from None


def _mapping(tree: _Tree, value: Any, what: str) -> Mapping[str, Any]:
    if value in (None, ""):
        return {}
    if isinstance(value, dict):
        return value
    raise tree.bad(f"{what} is no mapping")


def _scalars(values: Mapping[str, Any]) -> Variables:
    return {str(name): str(values[name]) for name in _VARIABLES if name in values}


def read_list(text: str, path: str) -> Inventory:
    """The machines that `ansible-inventory --list` prints. Raises: `manager/inventory`."""
    tree = _Tree(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise tree.bad(f"it is no JSON: {fault}") from None
    top = _mapping(tree, value, "it")
    said = _mapping(tree, _mapping(tree, top.get("_meta"), "_meta").get("hostvars"), "hostvars")
    for name, body in top.items():
        if name == "_meta":
            continue
        members = _mapping(tree, body, f"group {name!r}")
        group = tree.group(str(name))
        for machine in _texts(tree, members.get("hosts"), f"hosts of {name!r}"):
            variables = _mapping(tree, said.get(machine), f"variables of {machine!r}")
            tree.machine(machine, name, _scalars(variables))
        for child in _texts(tree, members.get("children"), f"children of {name!r}"):
            tree.group(child)
            group.children[child] = None
    return _flattened(tree)


def _texts(tree: _Tree, value: Any, what: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise tree.bad(f"{what} is no list of names")


def _flattened(tree: _Tree) -> Inventory:
    """Each machine with all its groups and the variables that reach it."""
    parents: dict[str, list[str]] = {name: [] for name in tree.groups}
    for name, group in tree.groups.items():
        for child in group.children:
            parents[child].append(name)
    depth = _depths(tree, parents)
    own: dict[str, list[str]] = {machine: [] for machine in tree.machines}
    for name, group in tree.groups.items():
        for machine in group.machines:
            own[machine].append(name)
    above: dict[str, frozenset[str]] = {}
    for name in sorted(tree.groups, key=depth.__getitem__):
        above[name] = frozenset({name}).union(*(above[parent] for parent in parents[name]))
        if len(above[name]) > _NESTED:
            raise tree.bad(f"the group {name!r} is in more than {_NESTED} groups")
    collector = Collector(tree.path)
    for machine, said in tree.machines.items():
        groups = frozenset({_ALL}).union(*(above[name] for name in own[machine]))
        ordered = sorted(groups, key=lambda name: (depth[name], name))
        variables: Variables = {}
        for name in ordered:
            variables.update(tree.groups[name].variables)
        variables.update(said)
        _take(collector, tree, machine, variables, ordered)
    return collector.inventory()


def _depths(tree: _Tree, parents: Mapping[str, list[str]]) -> dict[str, int]:
    """How far each group is below `all`, by its longest way.

    Raises: `manager/inventory` where groups contain each other.
    """
    depth = {name: 0 if name == _ALL else 1 for name in tree.groups}
    left = {name: len(above) for name, above in parents.items()}
    ready = [name for name, number in left.items() if not number]
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        for child in tree.groups[name].children:
            depth[child] = max(depth[child], depth[name] + 1)
            left[child] -= 1
            if not left[child]:
                ready.append(child)
    if done < len(tree.groups):
        circle = sorted(name for name, number in left.items() if number)
        raise tree.bad(f"groups contain each other: {', '.join(circle[:5])}")
    return depth


def _take(
    collector: Collector, tree: _Tree, machine: str, variables: Variables, groups: list[str]
) -> None:
    said: dict[str, str] = {}
    for variable, field in _VARIABLES.items():
        said.setdefault(field, variables.get(variable, ""))
        said[field] = said[field] or variables.get(variable, "")
    template = next((value for value in said.values() if "{{" in value), None)
    if template is not None:
        reason = (
            f"{template} is a template, which only Ansible can fill in: write the inventory with "
            "'ansible-inventory --list' and read that"
        )
        collector.skip(tree.lines.get(machine, 0), machine, reason)
        return
    named = tuple(name for name in groups if name not in (_ALL, _UNGROUPED))
    collector.take(machine, groups=named, line=tree.lines.get(machine, 0), **said)
