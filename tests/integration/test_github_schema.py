"""The offline tests' part of GitHub's schema is a part of the real one, and every query that is sent is valid there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from github_server import Shape, World, serve
from github_server.executing import SUBSET
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    parse,
    validate,
)

from builder.repository_search import SEARCH
from builder.sources import _github_queries as queries
from integration.npm import SCHEMA, installed

pytestmark = [pytest.mark.network, pytest.mark.integration]

QUERIES = {
    "repository": queries.REPOSITORY,
    "pulls": queries.PULLS,
    "closers": queries.CLOSERS,
    "named pulls": queries.named_pulls([2, 3]),
    "issues": queries.issues([1, 4]),
    "edits": queries.edits([1, 4]),
    "search": SEARCH,
    "estimate": queries.estimate([("octo", "sums")]),
    **{f"more {name}": queries.more(name, [("I_1", "a"), ("I_2", "b")]) for name in queries.MORE},
}


@pytest.fixture(scope="module")
def schema_file() -> Path:
    return installed(SCHEMA) / "@octokit/graphql-schema/schema.graphql"


@pytest.fixture(scope="module")
def real(schema_file: Path) -> GraphQLSchema:
    return build_schema(schema_file.read_text(encoding="utf-8"), assume_valid=True)


def test_the_subset_says_nothing_of_its_own(real: GraphQLSchema) -> None:
    """A field, argument, default or nullability that GitHub does not have would let a wrong query pass offline."""
    ours = build_schema(SUBSET.read_text(encoding="utf-8"))
    own = {name: type_ for name, type_ in ours.type_map.items() if not name.startswith("__")}
    wrong = [line for name, type_ in own.items() for line in differences(type_, real.type_map.get(name))]
    assert len(own) > 40
    assert wrong == []


def differences(ours: GraphQLNamedType, theirs: GraphQLNamedType | None) -> Iterator[str]:
    """What `ours` has that `theirs` has not, or has otherwise."""
    if type(ours) is not type(theirs):
        yield f"{ours.name} is another kind of type"
    elif isinstance(ours, GraphQLObjectType | GraphQLInterfaceType):
        assert isinstance(theirs, GraphQLObjectType | GraphQLInterfaceType)
        yield from more(ours.name, {each.name for each in ours.interfaces}, {each.name for each in theirs.interfaces})
        yield from more(ours.name, set(ours.fields), set(theirs.fields))
        for name in set(ours.fields) & set(theirs.fields):
            yield from field_differences(f"{ours.name}.{name}", ours.fields[name], theirs.fields[name])
    elif isinstance(ours, GraphQLUnionType):
        assert isinstance(theirs, GraphQLUnionType)
        yield from more(ours.name, {each.name for each in ours.types}, {each.name for each in theirs.types})
    elif isinstance(ours, GraphQLEnumType):
        assert isinstance(theirs, GraphQLEnumType)
        yield from more(ours.name, set(ours.values), set(theirs.values))
    elif isinstance(ours, GraphQLInputObjectType):
        assert isinstance(theirs, GraphQLInputObjectType)
        fields = ({f"{name}: {each.type}" for name, each in type_.fields.items()} for type_ in (ours, theirs))
        yield from more(ours.name, *fields)


def field_differences(where: str, ours: GraphQLField, theirs: GraphQLField) -> Iterator[str]:
    if str(ours.type) != str(theirs.type):
        yield f"{where} is {ours.type}, not {theirs.type}"
    arguments = (
        {f"{name}: {each.type} = {each.default_value}" for name, each in field.args.items()} for field in (ours, theirs)
    )
    yield from more(where, *arguments)


def more(where: str, ours: set[str], theirs: set[str]) -> Iterator[str]:
    return (f"{where} has {each}" for each in sorted(ours - theirs))


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_valid_there(real: GraphQLSchema, name: str) -> None:
    """A query that only our own subset admits fails on its first day."""
    assert validate(real, parse(QUERIES[name])) == []


def test_answers_conform_to_the_whole_schema(schema_file: Path, tmp_path: Path) -> None:
    """Executed on the real schema, an answer that it forbids is an error."""
    world = World.generate(tmp_path, Shape(pulls=60))
    with serve(world, schema=schema_file) as server:
        for name in ("repository", "pulls", "closers", "named pulls", "issues", "edits", "estimate"):
            asked = {"query": QUERIES[name], "variables": {"owner": "octo", "name": "sums", "first": 100}}
            headers = {"authorization": f"bearer {server.tokens[0]}"}
            answer = requests.post(f"{server.url}/graphql", json=asked, headers=headers, timeout=60).json()
            assert "errors" not in answer, name
            assert answer["data"]
