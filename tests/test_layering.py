"""The rules of the code base that a linter does not know: who may import whom, what importing costs, house budgets.

Every rule is a function over source text, tried on a planted violation as well as on the tree.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import builder
from builder.repo_config import directory_name

PACKAGE = Path(builder.__file__).resolve().parent
INSTANCES = PACKAGE.parent / "instances"

LAYERS: dict[str, set[str]] = {
    "errors": {"errors"},
    "models": {"models"},
    "pure": {
        "protocols",
        "patches",
        "links",
        "closing_words",
        "issue_references",
        "own_words",
        "grading",
        "repo_config",
        "testpaths",
        "selection",
        "source_tree",
        "tiers",
        "python_versions",
        "requirement_lines",
        "project_groups",
        "install_commands",
        "requirements",
        "relaxing",
        "revisions",
        "pytest_config",
        "statements",
        "comparison",
        "lite",
        "rows",
        "figures",
    },
    "services": {
        "settings",
        "files",
        "store",
        "templating",
        "plugins",
        "console",
        "git",
        "gitbundle",
        "gitclone",
        "gitcommand",
        "gitlog",
        "gitmerge",
        "gitremote",
        "fastimport",
        "interpreters",
        "loopback_index",
        "sample",
        "instrumentation",
        "recipes",
        "locks",
        "resolve",
        "missing_modules",
        "licenses",
        "image_names",
        "platforms",
        "interpreter_archive",
        "network_settings",
        "dockerfiles",
        "layer_sizes",
        "pruning",
        "versions",
        "tokens",
        "quota",
        "github_answers",
        "github_client",
        "rawpages",
        "repositories",
        "repository_search",
        "seart",
        "mirrors",
        "facts",
        "hub",
        "registry",
        "parquet",
        "spool",
        "difference",
        "replacement",
        "card",
        "debian",
    },
    "alternatives": {"sources", "runtimes", "engines", "exports"},
    "steps": {
        "harvest",
        "candidates",
        "environments",
        "images",
        "testrun",
        "validate",
        "publish",
        "evaluate",
        "rollout",
        "trajectories",
        "verifier",
        "report",
    },
    "pipeline": {"pipeline"},
    "commands": {
        "base_images",
        "session",
        "contents",
        "jobs",
        "uploads",
        "commands",
        "harvesting",
        "views",
        "diagnosis",
        "demonstration",
    },
    "cli": {"cli"},
    "program": {"__main__"},
    "probe": {"probe"},
}
"""Lowest first. A new module of `builder/` is put in here, in the layer whose rules it follows."""

RANK = {module: rank for rank, modules in enumerate(LAYERS.values()) for module in modules}
LAYER = {module: layer for layer, modules in LAYERS.items() for module in modules}
TOGETHER = {"pure", "services", "commands"}
"""Layers whose modules may import each other (never in a circle)."""
STEP_IMPORTS = {("validate", "testrun"), ("evaluate", "testrun")}
STORE_USERS = {"pipeline", "commands", "cli"}
SDK_OWNERS = {
    "docker": {"runtimes.docker", "registry"},
    "distributed": {"engines.dask"},
    "dask": {"engines.dask"},
    "sqlite3": {"store", "sources.archive_spool"},
    "pyarrow": {"parquet"},
    "jinja2": {"templating"},
    "rich": {"console"},
}
"""Libraries that stand behind one module. A private helper belongs to whom it is named after (`_docker_build`)."""

HEAVY = {
    "pydantic",
    "datasets",
    "docker",
    "git",
    "requests",
    "rich",
    "pyarrow",
    "jinja2",
    "numpy",
    "distributed",
    "huggingface_hub",
}
MAXIMUM_FUNCTION_LINES = 60


@dataclass(frozen=True)
class Module:
    """A module of the package by its name below `builder` (`runtimes._layers`), and its source."""

    name: str
    source: str

    @property
    def top(self) -> str:
        return self.name.split(".")[0]

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)


def modules() -> list[Module]:
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if "data" not in path.relative_to(PACKAGE).parts]
    names = [".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return [
        Module(name, path.read_text(encoding="utf-8"))
        for name, path in zip(names, paths, strict=True)
        if name != "__init__"
    ]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that the code imports, wherever it does; of `from x import y` both `x` and `x.y`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level + (node.module or "")
            else:
                yield node.module or ""
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(module: Module) -> set[str]:
    """The modules of `builder` that a module imports, by their names below it, as precise as they can be told."""
    known = {other.name for other in modules()} | set(RANK)
    names = {name.removeprefix("builder.") for name in imports(module.tree) if name.startswith("builder.")} - {
        "__version__"
    }
    return {name for name in names if name in known or name.split(".")[0] not in known}


def layering_problems(module: Module) -> list[str]:
    if module.top not in RANK:
        return [f"builder/{module.top} is in no layer: place it in LAYERS of {Path(__file__).name}"]
    relative = [name for name in imports(module.tree) if name.startswith(".")]
    problems = [f"{module.name} imports {name} relatively: write builder.…" for name in relative]
    for name in sorted(own_imports(module)):
        problem = import_problem(module, name)
        if problem:
            problems.append(f"{module.name} imports {name}: {problem}")
    return problems


def import_problem(module: Module, imported: str) -> str:
    """Why `module` may not import `imported`, or ""."""
    layer, other = LAYER[module.top], imported.split(".")[0]
    if other not in RANK:
        return "it is in no layer"
    if "probe" in (layer, LAYER[other]):
        return "the probe runs inside the sandbox, alone"
    if other == "store" and layer not in STORE_USERS:
        return f"only {', '.join(sorted(STORE_USERS))} use the store"
    if module.top == other and layer == "alternatives":
        private = any(part.startswith("_") for part in imported.split(".")[1:])
        return "" if private or imported == other else "alternatives do not know each other"
    if RANK[other] == RANK[module.top]:
        allowed = layer in TOGETHER or (module.top, other) in STEP_IMPORTS
        return "" if allowed else f"modules of the layer {layer!r} do not know each other"
    return "" if RANK[other] < RANK[module.top] else f"{LAYER[other]} is above {layer}"


def sdk_problems(module: Module) -> list[str]:
    owner = module.name.replace("._", ".")
    return [
        f"{module.name} imports {name}: that is for {', '.join(sorted(owners))}"
        for name, owners in SDK_OWNERS.items()
        if any(imported.split(".")[0] == name for imported in imports(module.tree))
        and not any(owner == allowed or owner.startswith(f"{allowed}_") for allowed in owners)
    ]


def circles(graph: dict[str, set[str]]) -> list[str]:
    """The modules that import themselves through others."""
    reachable = {name: set(targets) for name, targets in graph.items()}
    for _ in graph:
        for targets in reachable.values():
            targets |= {far for near in list(targets) for far in graph.get(near, set())}
    return sorted(name for name, targets in reachable.items() if name in targets)


def repository_names(source: str, directories: set[str]) -> list[str]:
    """The repositories of `instances/` that a source names, as `owner/name` or by their directory."""
    spelt = set(re.findall(r"[\w.-]+/[\w.-]+", source))
    spelt |= {match for directory in directories for match in re.findall(re.escape(directory), source, re.IGNORECASE)}
    lowered = {directory.lower() for directory in directories}
    return sorted(name for name in spelt if directory_name(name).lower() in lowered)


def house_problems(module: Module) -> list[str]:
    problems = []
    for node in ast.walk(module.tree):
        where = f"{module.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            problems += [f"{where} {node.name} {fault}" for fault in function_faults(node)]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print" and module.name != "cli":
            problems.append(f"{where} prints")
        elif isinstance(node, ast.ExceptHandler) and module.name != "pipeline" and is_broad(node):
            problems.append(f"{where} catches everything")
    return problems


def function_faults(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += [extra for extra in (node.args.vararg, node.args.kwarg) if extra]
    bare = [argument.arg for argument in arguments if argument.annotation is None]
    faults = [f"does not annotate {name!r}" for name in bare if name not in ("self", "cls")]
    if node.returns is None:
        faults.append("does not annotate its result")
    if length > MAXIMUM_FUNCTION_LINES:
        faults.append(f"has {length} lines")
    return faults


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in caught)


def loaded_modules(statement: str) -> set[str]:
    """The top-level modules that are loaded in a fresh interpreter after `statement`."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(result.stdout)
    return set(names)


# --- the tree -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_imports_point_one_way(module: Module) -> None:
    """Catches a step that reaches for the store, an alternative that knows another, a service above a step."""
    assert layering_problems(module) == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_each_library_stands_behind_one_module(module: Module) -> None:
    """Catches a second place that speaks to docker, SQLite or parquet in its own way."""
    assert sdk_problems(module) == []


def test_no_module_imports_itself_through_others() -> None:
    """Catches a circle among modules of one layer, which the ranks cannot see."""
    assert circles({module.name: own_imports(module) for module in modules()}) == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_module_names_a_repository(module: Module) -> None:
    """Catches knowledge of a repository outside `instances/`, where no other repository profits from it."""
    directories = {path.name for path in INSTANCES.iterdir() if path.is_dir()}
    assert repository_names(module.source, directories) == []


@pytest.mark.parametrize("statement", ["import builder", "import builder.cli", "import builder.errors"])
def test_importing_is_cheap(statement: str) -> None:
    """Catches a heavy import at the top of a module that `builder --help` loads."""
    assert loaded_modules(statement) & HEAVY == set()


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_house_budgets(module: Module) -> None:
    """Catches functions over the maximum or not annotated, stray prints, and errors swallowed outside the pipeline."""
    assert house_problems(module) == []


# --- the rules themselves, on planted violations ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("links", "from builder.git import Git", "services is above pure"),
        ("links", "def f():\n    import builder.pipeline", "pipeline is above pure"),
        ("harvest", "from builder import store", "use the store"),
        ("sources.git", "from builder.store import Store", "use the store"),
        ("harvest", "from builder.validate import validate", "do not know each other"),
        ("runtimes.docker", "from builder.runtimes import bubblewrap", "alternatives do not know each other"),
        ("runtimes.docker", "from builder.sources import _sdist", "do not know each other"),
        ("settings", "from builder.probe import builder_probe", "alone"),
        ("probe.builder_probe", "import builder.errors", "alone"),
        ("links", "from . import models", "relatively"),
        ("brand_new", "", "is in no layer"),
        ("links", "import builder.brand_new", "in no layer"),
    ],
)
def test_a_forbidden_import_is_found(name: str, source: str, problem: str) -> None:
    """Catches a layering test that has gone blind."""
    assert problem in "\n".join(layering_problems(Module(name, source)))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("validate", "from builder import testrun"),
        ("pipeline", "from builder.store import Store"),
        ("runtimes.bubblewrap", "from builder.runtimes import _layers\nfrom builder import interpreters"),
        ("git", "from builder.gitlog import entries\nfrom builder.models import Sha"),
        ("links", "import re, builder"),
    ],
)
def test_an_allowed_import_is_not_reported(name: str, source: str) -> None:
    """Catches a rule that has become stricter than the design."""
    assert layering_problems(Module(name, source)) == []


def test_a_library_in_a_second_place_is_found() -> None:
    """Catches an SDK rule that misses lazy imports, or refuses the helpers of the owner."""
    lazy = "def f():\n    import docker.errors"
    assert sdk_problems(Module("images", lazy)) == ["images imports docker: that is for registry, runtimes.docker"]
    assert sdk_problems(Module("runtimes._docker_build", lazy)) == []
    assert sdk_problems(Module("runtimes.docker", lazy)) == []


def test_a_circle_is_found() -> None:
    """Catches a circle check that only sees direct imports."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text", ["x = 'Some-Org/proj'", "# some-org/proj needs this", "p = 'some-org__proj/repo.yaml'"]
)
def test_a_named_repository_is_found(text: str) -> None:
    """Catches a check that misses comments, paths or other spellings."""
    assert repository_names(text, {"some-org__proj"}) != []
    assert repository_names(text, {"other__proj"}) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def f(x) -> int:\n    return x", "annotate 'x'"),
        ("def f(*xs) -> None:\n    pass", "annotate 'xs'"),
        ("def f():\n    pass", "its result"),
        ("def f() -> None:\n" + "    pass\n" * 60, "61 lines"),
        ("print(1)", "prints"),
        ("try:\n    pass\nexcept Exception:\n    pass", "catches everything"),
        ("try:\n    pass\nexcept (OSError, BaseException):\n    pass", "catches everything"),
        ("try:\n    pass\nexcept:\n    pass", "catches everything"),
    ],
)
def test_a_broken_budget_is_found(source: str, fault: str) -> None:
    """Catches a budget check that has gone blind."""
    assert fault in "\n".join(house_problems(Module("links", source)))


def test_a_heavy_import_is_found() -> None:
    """Catches a cheap-import test that looks at the wrong interpreter."""
    assert "pydantic" in loaded_modules("import builder.models")
