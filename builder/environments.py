"""What an environment for a commit must hold, its lock, and which commits can share one.

The rules and their order were measured on 52 published instances: interpreter, requirements with tiers, everything
resolved at once as of the commit's date plus one day, then the package itself without its dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from packaging.version import Version

from builder import interpreters, locks, missing_modules, pytest_config, python_versions, requirements, resolve, tiers
from builder.errors import InterpreterMissingError
from builder.models import Environment, EnvSpec, Evidence, Lock, Requirement, Sha, digest_of
from builder.protocols import Runtime, Sandbox
from builder.recipes import Workshop, base_image, repository_image
from builder.repo_config import EnvironmentRules, RepoConfig, directory_name
from builder.requirements import ProjectMetadata
from builder.source_tree import SourceTree

AFTER_COMMIT = timedelta(days=1)
SHARED_FOR = timedelta(days=90)
"""How much later than its lock's date a commit may be to share the environment."""

Install = Literal["editable", "editable-isolated", "develop", "path", "none"]

_FIRST_PEP_660 = Version("64")
_ENVIRONMENT_INPUT = re.compile(
    r"(?:.*/)?(?:setup\.py|setup\.cfg|pyproject\.toml|pytest\.ini|\.gitmodules|environment[^/]*\.ya?ml)"
    r"|.*req[^/]*\.(?:txt|in)"
)
_SCM_VERSION = re.compile(r"setuptools[-_]scm|hatch-vcs|use_scm_version|\bpbr\b")
_EXTENSIONS = re.compile(r"\bext_modules\b|\bcythonize\b")


@dataclass(frozen=True)
class Draft:
    """What a commit's files say without building anything: `spec` still lacks its requirements."""

    spec: EnvSpec
    tree: SourceTree
    rules: EnvironmentRules


@dataclass(frozen=True)
class Planner:
    """Plans the environments of one repository: `config` is its repo.yaml, `runtime` where foreign code runs."""

    workshop: Workshop
    config: RepoConfig
    runtime: Runtime

    def assign(self, commit: Sha, version: str, known: Iterable[Environment]) -> Environment:
        """One of the `known` environments that fits the commit, else a new one, resolved as of the commit's date.

        Raises Rejected(env_failed), InterpreterMissingError, NetworkMissingError.
        """
        draft = infer(self.workshop, commit, self.config, version)
        candidates = [one for one in known if self._may_share(one, draft.spec)]
        for environment in candidates:
            if not self._inputs_changed(environment, commit):
                return environment
        with self._sandbox(draft.spec) as sandbox:
            spec = self._completed(draft, sandbox)
            for environment in candidates:
                if _suits(environment, spec):
                    return environment
            return _environment(*self._resolved(spec, sandbox))

    def spec(self, commit: Sha, version: str) -> EnvSpec:
        """The full specification of an environment for the commit. Raises Rejected(env_failed)."""
        draft = infer(self.workshop, commit, self.config, version)
        with self._sandbox(draft.spec) as sandbox:
            return self._completed(draft, sandbox)

    def lock(self, spec: EnvSpec) -> Lock:
        """Resolve the specification as of its date. Raises Rejected(env_failed), NetworkMissingError."""
        with self._sandbox(spec) as sandbox:
            return self._resolved(spec, sandbox)[1]

    def recreate(self, commit: Sha, version: str, lock: Lock) -> Environment:
        """An environment of an earlier time from its lock and its commit, without resolving. Raises as `spec`."""
        draft = infer(self.workshop, commit, self.config, version)
        spec = draft.spec.model_copy(update={"python": lock.python, "as_of": lock.as_of})
        draft = Draft(spec, draft.tree, draft.rules)
        with self._sandbox(spec) as sandbox:
            return _environment(self._completed(draft, sandbox), lock)

    def _sandbox(self, spec: EnvSpec) -> AbstractContextManager[Sandbox]:
        base = base_image(spec.python)
        image = repository_image(self.workshop, base, spec.commit, submodules=spec.submodules)
        return self.runtime.start(image, network=True, cache=self.workshop.cache)

    def _completed(self, draft: Draft, sandbox: Sandbox) -> EnvSpec:
        """A project that is never built needs no build tools to say what it requires, where its files say it."""
        target = resolve.Target(draft.spec.python, draft.spec.as_of)
        declared = requirements.declared_metadata(draft.tree) if draft.rules.install == "none" else None
        metadata = declared or resolve.read_metadata(
            sandbox, self.workshop.templates, draft.tree, target, draft.spec.build_env
        )
        return complete(draft, metadata)

    def _resolved(self, spec: EnvSpec, sandbox: Sandbox) -> tuple[EnvSpec, Lock]:
        """The lock, and the specification with what tests turned out to import besides."""
        lock = self._compiled(spec, sandbox)
        tree = source_tree(self.workshop, spec.commit)
        names = missing_modules.distributions(sandbox, self.workshop.templates, tree, spec.test_cmd)
        if not names:
            return spec, lock
        added = tuple(Requirement(text=name, tier=tiers.OPTIONAL, source="imported by tests") for name in names)
        spec = spec.model_copy(update={"requirements": (*spec.requirements, *added)})
        return spec, self._compiled(spec, sandbox)

    def _compiled(self, spec: EnvSpec, sandbox: Sandbox) -> Lock:
        target = resolve.Target(spec.python, spec.as_of)
        return resolve.resolve(
            sandbox, self.workshop.templates, spec.requirements, spec.constraints, spec.project, target
        )

    def _may_share(self, environment: Environment, spec: EnvSpec) -> bool:
        age = spec.as_of - environment.lock.as_of
        if environment.spec.python != spec.python or not timedelta(0) <= age <= SHARED_FOR:
            return False
        return self.workshop.repository.is_ancestor(environment.environment_setup_commit, spec.commit)

    def _inputs_changed(self, environment: Environment, commit: Sha) -> bool:
        changed = self.workshop.repository.changed_paths(environment.environment_setup_commit, commit)
        return any(_ENVIRONMENT_INPUT.fullmatch(path) for path in changed)


def infer(workshop: Workshop, commit: Sha, config: RepoConfig, version: str) -> Draft:
    """Everything about the commit's environment that its files, its date and repo.yaml say; runs nothing."""
    tree = source_tree(workshop, commit)
    rules = config.environment_for(version)
    moment = workshop.repository.commit(commit).committer_date.astimezone(UTC)
    python, evidence = _interpreter(tree, rules, moment)
    spec = EnvSpec(
        repo=workshop.repo,
        commit=commit,
        as_of=_to_second(moment + AFTER_COMMIT),
        python=python,
        requirements=(),
        install=rules.install or "editable",
        build_steps=rules.build_steps,
        build_env=_build_env(workshop, commit, tree, version) | rules.build_env,
        test_env=rules.test_env,
        test_cmd=rules.test_cmd or pytest_config.test_command(tree),
        system_packages=rules.system_packages,
        submodules=".gitmodules" in tree.paths if rules.submodules is None else rules.submodules,
        evidence=(evidence,),
    )
    return Draft(spec, tree, rules)


def complete(draft: Draft, metadata: ProjectMetadata) -> EnvSpec:
    """The specification with its requirements, now that the project's metadata is known."""
    found = requirements.collect(draft.tree, metadata, draft.rules)
    install = draft.rules.install or ("editable" if metadata.can_build_editable else _without_pep_660(metadata))
    sources = sorted({one.source for one in found.requirements})
    evidence = tuple(Evidence(rule="requirements", conclusion="read", source=source) for source in sources)
    return draft.spec.model_copy(
        update={
            "project": metadata.name,
            "build_backend": metadata.backend,
            "requirements": tuple(found.requirements),
            "constraints": tuple(found.constraints),
            "install": install,
            "evidence": (*draft.spec.evidence, *evidence),
        }
    )


def source_tree(workshop: Workshop, commit: Sha) -> SourceTree:
    """The files of a commit, read from the clone as they are asked for."""

    def read(path: str) -> str | None:
        content = workshop.repository.read_file(commit, path)
        return None if content is None else content.decode("utf-8", "replace")

    return SourceTree(frozenset(workshop.repository.list_files(commit)), read)


def env_id(spec: EnvSpec, lock: Lock) -> str:
    """`<owner>__<name>-py39-20220407-1a2b3c4d`: safe for files and images, and never parsed back (T24)."""
    digest = digest_of([lock.lock_id, spec.commit, spec.install, spec.build_steps])[:8]
    python = spec.python.replace(".", "")
    return f"{directory_name(spec.repo)}-py{python}-{lock.as_of:%Y%m%d}-{digest}"


def _environment(spec: EnvSpec, lock: Lock) -> Environment:
    spec = spec.model_copy(update={"install": _install_mode(spec, lock)})
    return Environment(env_id=env_id(spec, lock), spec=spec, lock=lock, environment_setup_commit=spec.commit)


def _install_mode(spec: EnvSpec, lock: Lock) -> Install:
    """setuptools before 64 has no PEP 660, and then only `develop` leaves the work tree in charge."""
    setuptools = locks.version_of(lock, "setuptools")
    if spec.install == "editable" and "setuptools" in spec.build_backend and setuptools and setuptools < _FIRST_PEP_660:
        return "develop"
    return spec.install


def _without_pep_660(metadata: ProjectMetadata) -> Install:
    return "develop" if "setuptools" in metadata.backend or metadata.has_setup_py else "path"


def _suits(environment: Environment, spec: EnvSpec) -> bool:
    """Whether the environment is what the specification would get: same recipe, and no requirement unmet."""
    alike = ("python", "project", "build_steps", "system_packages", "submodules", "test_cmd", "test_env", "constraints")
    if any(getattr(environment.spec, name) != getattr(spec, name) for name in alike):
        return False
    return not locks.unmet(spec.requirements, environment.lock)


def _interpreter(tree: SourceTree, rules: EnvironmentRules, moment: datetime) -> tuple[str, Evidence]:
    if rules.python:
        return rules.python, Evidence(rule="python", conclusion=rules.python, source="repo.yaml")
    chosen = python_versions.choose(tree, moment)
    try:
        interpreters.find(chosen.minor)
    except InterpreterMissingError:
        present = {found.version.rpartition(".")[0] for found in interpreters.installed()}
        usable = [minor for minor in python_versions.substitutes(tree, chosen.minor) if minor in present]
        if not usable:
            raise
        source = f"{chosen.minor} by {chosen.evidence.source}; this machine lacks it"
        return usable[0], Evidence(rule="python", conclusion=usable[0], source=source)
    return chosen.minor, chosen.evidence


def _build_env(workshop: Workshop, commit: Sha, tree: SourceTree, version: str) -> dict[str, str]:
    """Tags are scrubbed, so tools that read the version from them are told it; extensions need not be fast."""
    build_files = "".join(tree.text(path) for path in ("setup.py", "setup.cfg", "pyproject.toml"))
    environment = {}
    if _SCM_VERSION.search(build_files):
        described = workshop.repository.describe_version(commit) or version
        environment = {"SETUPTOOLS_SCM_PRETEND_VERSION": described, "PBR_VERSION": described}
    if _EXTENSIONS.search(build_files):
        environment["CFLAGS"] = "-O0 -g0"
    return environment


def _to_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
