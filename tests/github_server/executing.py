"""Executes GraphQL on a schema as the service does: validated, counted, with its error types."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from github_server.basics import identified
from github_server.cost import Cost, cost_of
from github_server.nodes import Nodes
from github_server.paging import Node, RefusedError, listed
from github_server.searching import matching
from github_server.world import Repository, World

SUBSET = Path(__file__).with_name("schema.graphql")
_PARSED = 64  # documents in memory


@dataclass(frozen=True)
class Prepared:
    """A request that may be executed."""

    document: DocumentNode
    variables: dict[str, Any]
    cost: Cost


class Executor:
    """Answers the queries on one world. `schema` is a file; without one it is the subset beside this module."""

    def __init__(self, world: World, schema: Path | None = None) -> None:
        text = (schema or SUBSET).read_text(encoding="utf-8")
        self._schema: GraphQLSchema = build_schema(text, assume_valid=schema is not None)
        self._world = world
        self._nodes = Nodes(world)
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()

    def prepare(self, query: str, variables: Mapping[str, Any]) -> Prepared:
        """Raises GraphQLError for what the service would not execute."""
        document = self._documents.get(query)
        if document is None:
            document = self._parsed(query)
        return Prepared(document, dict(variables), cost_of(self._schema, document, variables))

    def execute(self, prepared: Prepared, rate_limit: Node) -> dict[str, Any]:
        """The body of the answer. `rate_limit` are the fields of that object."""
        root = {
            "rateLimit": lambda info, **arguments: rate_limit,
            "repository": self._repository,
            "node": lambda info, id: self._node(id),  # noqa: A006
            "nodes": lambda info, ids: [self._node_or_nothing(text) for text in ids],
            "search": self._search,
        }
        result = execute_sync(self._schema, prepared.document, root, variable_values=prepared.variables)
        return answer(result)

    def _parsed(self, query: str) -> DocumentNode:
        document = parse(query)
        errors = validate(self._schema, document)
        if errors:
            raise errors[0]
        self._documents[query] = document
        if len(self._documents) > _PARSED:
            self._documents.popitem(last=False)
        return document

    def _repository(self, info: Any, owner: str, name: str, followRenames: bool) -> Node:  # noqa: N803
        repo = self._world.find(f"{owner}/{name}")
        if repo is None or (not followRenames and repo.name.lower() != f"{owner}/{name}".lower()):
            raise RefusedError("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return self._nodes.repository(repo)

    def _node(self, text: str) -> Node:
        found = self._identified(text)
        if found is None:
            raise RefusedError("NOT_FOUND", f"Could not resolve to a node with the global id of '{text}'.")
        return found

    def _node_or_nothing(self, text: str) -> Node | RefusedError:
        found = self._identified(text)
        message = f"Could not resolve to a node with the global id of '{text}'."
        return found or RefusedError("NOT_FOUND", message)

    def _identified(self, text: str) -> Node | None:
        kind, parts = identified(text) or ("", [])
        if not parts or not parts[0] < len(self._world.repositories):
            return None
        repo = self._world.repositories[parts[0]]
        if kind == "R":
            return self._nodes.repository(repo)
        return self._nodes.numbered(repo, parts[1]) if kind in ("PR", "I") and len(parts) == 2 else None

    def _search(self, info: Any, query: str, type: str, **arguments: Any) -> Node:  # noqa: A002
        if type != "REPOSITORY":
            raise RefusedError("UNPROCESSABLE", f"This server searches repositories, not {type}.")
        found: list[Repository] = matching(self._world, query)
        return {**listed(found, arguments, self._nodes.repository), "repositoryCount": len(found), "issueCount": 0}


def answer(result: ExecutionResult) -> dict[str, Any]:
    """The body for a result. An error that is not the service's own is a fault of this server, and says so."""
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [error_node(error) for error in result.errors]
    return body


def error_node(error: GraphQLError) -> Node:
    """An error by the service's own form, where `type` stands beside the message."""
    refused = error if isinstance(error, RefusedError) else error.original_error
    kind = {"type": refused.kind} if isinstance(refused, RefusedError) else {}
    locations = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return {
        **kind,
        **({"path": error.path} if error.path else {}),
        **({"locations": locations} if locations else {}),
        "message": error.message,
    }


def encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
