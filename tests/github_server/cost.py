"""What a query costs and how much it may return, by GitHub's published rules.

"Rate limits and query limits for the GraphQL API" (docs.github.com). Points: the requests that are needed to fulfil
each unique connection, one for every node of the connections around it, added up, divided by 100, rounded, at least 1.
Nodes: what all connections may return together, at most 500,000; each wants `first` or `last`, from 1 to 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    is_composite_type,
    value_from_ast_untyped,
)

from github_server.paging import RefusedError

NODE_LIMIT = 500_000
_LARGEST = 100


@dataclass(frozen=True)
class Cost:
    """`requests` are those that the points are made of."""

    requests: int
    nodes: int

    @property
    def points(self) -> int:
        return max(1, math.floor(self.requests / 100 + 0.5))


def cost_of(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> Cost:
    """Of a valid document with one operation. Raises RefusedError as the service refuses it."""
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    count = _Count(schema, _fragments(document), {**_defaults(operation), **variables})
    assert schema.query_type is not None
    count.walk(operation.selection_set, schema.query_type, 1, ())
    if count.nodes > NODE_LIMIT:
        raise RefusedError(
            "MAX_NODE_LIMIT_EXCEEDED",
            f"This query requests up to {count.nodes:,} possible nodes which exceeds the maximum limit of 500,000.",
        )
    return Cost(count.requests, count.nodes)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    found = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return {node.name.value: node for node in found}


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    given = ((node.variable.name.value, node.default_value) for node in operation.variable_definitions or ())
    return {name: value_from_ast_untyped(default) for name, default in given if default is not None}


@dataclass
class _Count:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    requests: int = 0
    nodes: int = 0
    _seen: set[tuple[str, ...]] = field(default_factory=set)

    def walk(
        self, selection: SelectionSetNode, parent: GraphQLCompositeType, times: int, path: tuple[str, ...]
    ) -> None:
        """Count below a selection whose parent object comes up to `times` times."""
        for node, type_ in self._fields(selection, parent):
            if not isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)) or node.selection_set is None:
                continue
            definition = type_.fields.get(node.name.value)
            if definition is None:
                continue
            result = get_named_type(definition.type)
            here = (*path, type_.name, (node.alias or node.name).value)
            below = times
            if result.name.endswith("Connection"):
                below = self._connection(node, times, here)
            elif node.name.value == "nodes" and type_ is self.schema.query_type:
                below = times * len(self._arguments(node).get("ids", ()))
            self.walk(node.selection_set, result, below, here)

    def _connection(self, node: FieldNode, times: int, path: tuple[str, ...]) -> int:
        size = self._size(node)
        if path not in self._seen:
            self._seen.add(path)
            self.requests += times
            self.nodes += times * size
        return times * size

    def _size(self, node: FieldNode) -> int:
        """How many nodes a connection may return; 0 where only its count is asked for."""
        name, arguments = node.name.value, self._arguments(node)
        for argument in ("first", "last"):
            size = arguments.get(argument)
            if size is None:
                continue
            if size > _LARGEST:
                what = f"Requesting {size} records on the `{name}` connection"
                raise RefusedError("EXCESSIVE_PAGINATION", f"{what} exceeds the `{argument}` limit of 100 records.")
            if size < 1:
                raise RefusedError(
                    "INVALID_PAGINATION", f"`{argument}` on the `{name}` connection cannot be less than 1."
                )
            return int(size)
        if {field.name.value for field, _ in self._fields(node.selection_set, None)} & {"nodes", "edges", "pageInfo"}:
            message = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
            raise RefusedError("MISSING_PAGINATION_BOUNDARIES", message)
        return 0

    def _arguments(self, node: FieldNode) -> dict[str, Any]:
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        values = ((name, value_from_ast_untyped(value, dict(self.variables))) for name, value in given.items())
        return {name: value for name, value in values if value is not Undefined}

    def _fields(
        self, selection: SelectionSetNode | None, parent: GraphQLCompositeType | None
    ) -> Iterator[tuple[FieldNode, GraphQLCompositeType | None]]:
        """The fields of a selection and of the fragments in it, each with the type that it is selected on."""
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                yield node, parent
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set, self._type(node, parent))
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                yield from self._fields(fragment.selection_set, self._type(fragment, parent))

    def _type(
        self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLCompositeType | None
    ) -> GraphQLCompositeType | None:
        condition = node.type_condition
        found = self.schema.get_type(condition.name.value) if condition else parent
        return found if is_composite_type(found) else None
