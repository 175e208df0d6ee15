"""Settings as a tree that remembers where each value came from, and how trees are laid over each other.

Tables are merged key by key; anything else replaces what lies below it as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from orchestrator_config._paths import SettingPath
from orchestrator_config._report import DEFAULT, Origin
from orchestrator_config._shape import MISSING, Shape
from orchestrator_config._walk import is_table, key_text, members


@dataclass(slots=True)
class Value:
    """A value that is taken as it is."""

    raw: object = field(repr=False)
    origin: Origin


@dataclass(slots=True)
class Items:
    """An array whose elements were looked into."""

    nodes: list[Node]
    origin: Origin


@dataclass(slots=True)
class Branch:
    """A table. The origin is that of the table itself; its members have their own."""

    children: dict[str, Node] = field(default_factory=dict[str, "Node"])
    origin: Origin = DEFAULT


Node: TypeAlias = Value | Items | Branch


def instance_tree(instance: object, shape: Shape, origin: Origin) -> Branch | None:
    """What was set in a model or dataclass instance, as a tree."""
    known = members(instance)
    if known is None or len(shape.groups) != 1:
        return None
    chosen: set[str] | None = getattr(instance, "model_fields_set", None)
    branch = Branch(origin=origin)
    for name, value in known:
        if name in shape.fields and (chosen is None or name in chosen):
            branch.children[name] = default_tree(value, shape.fields[name].shape, origin)
    return branch


def default_tree(value: object, shape: Shape, origin: Origin = DEFAULT) -> Node:
    """A value that is valid already, as a tree as far as sources can reach into it."""
    if (made := instance_tree(value, shape, origin)) is not None:
        return made
    if is_table(value) and shape.table and not shape.groups:
        children = {key_text(key): default_tree(each, shape.table, origin) for key, each in value.items()}
        return Branch(children, origin)
    return Value(value, origin)


def merge(below: Node | None, above: Node) -> Node:
    """`above` laid over `below`."""
    if not isinstance(below, Branch) or not isinstance(above, Branch):
        return above
    children = dict(below.children)
    for key, node in above.children.items():
        children[key] = merge(children.get(key), node)
    return Branch(children, above.origin)


def with_defaults(node: Node, shape: Shape) -> Node:
    """The tree with the defaults that it only partly replaces laid under it, and required groups in place."""
    if isinstance(node, Items) and shape.array:
        return Items([with_defaults(each, shape.array) for each in node.nodes], node.origin)
    if not isinstance(node, Branch):
        return node
    children = dict(node.children)
    if len(shape.groups) == 1:
        for name, known in shape.fields.items():
            if name in children and known.default is not MISSING:
                children[name] = merge(default_tree(known.default, known.shape), children[name])
            elif name not in children and known.required and known.shape.plain_group:
                children[name] = Branch()
    known_children = {key: (child, shape.below(key)) for key, child in children.items()}
    return Branch(
        {
            key: child if below is None else with_defaults(child, below)
            for key, (child, below) in known_children.items()
        },
        node.origin,
    )


def raw_of(node: Node) -> object:
    """What pydantic gets to see."""
    if isinstance(node, Branch):
        return {key: raw_of(child) for key, child in node.children.items()}
    if isinstance(node, Items):
        return [raw_of(each) for each in node.nodes]
    return node.raw


def at(root: Node, path: SettingPath) -> Node | None:
    """The node at the path, or the value that covers it; None when no source says anything about it."""
    node: Node | None = root
    for step in path:
        if isinstance(node, Branch):
            node = node.children.get(str(step))
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            node = node.nodes[step]
        elif isinstance(node, Items):
            return Value(None, node.origin)
        else:
            return node
    return node
