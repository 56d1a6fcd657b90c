"""The command line: one thin function per command. Parse, call, show.

Heavy modules are imported inside the functions, so that `builder --help` answers at once.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import click

from builder import __version__

if TYPE_CHECKING:
    from builder.commands import Outcome
    from builder.protocols import Access
    from builder.settings import Settings
    from builder.views import View

Command = TypeVar("Command", bound=Callable[..., Any])

INTERRUPTED = 130


class Bytes(click.ParamType[int]):
    """An amount of bytes with a decimal unit, as `size` prints it."""

    name = "size"
    _UNITS: ClassVar = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", str(value).strip(), re.IGNORECASE)
        if found is None:
            self.fail(f"{value!r} is no size such as 50GB or 800MB", param, ctx)
        return int(float(found[1]) * self._UNITS[found[2].upper()])


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    """A click option that can also be given as BUILDER_<NAME>."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    return click.option(*names, envvar=f"BUILDER_{long[2:].replace('-', '_').upper()}", show_default=True, **attributes)


def common(command: Command) -> Callable[..., None]:
    """Add the options that every command has; the command gets them as `settings`."""

    @functools.wraps(command)
    def with_settings(**options: Any) -> None:
        from builder import console

        settings = make_settings(options)
        console.show_messages(quiet=settings.quiet)
        command(settings=settings, **options)

    decorated: Callable[..., None] = with_settings
    for decorate in reversed(COMMON):
        decorated = decorate(decorated)
    return decorated


COMMON = (
    option(
        "--workspace",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("workspace"),
        help="Where state, layers and artefacts are kept.",
    ),
    option("--runtime", default="auto", help="Where untrusted code runs: auto (bubblewrap), bubblewrap or docker."),
    option("--base", default="", help="The system in sandboxes: an image (docker) or a directory (bubblewrap)."),
    option("--engine", default="local", help="Where our own work is scheduled."),
    option("--workers", type=click.IntRange(min=1), default=None, help="Items worked on at a time. [processors]"),
    option("--data-dir", type=click.Path(path_type=Path), default=None, help="Holds templates/ and instances/."),
    option("--json", "as_json", is_flag=True, help="Print machine-readable output on stdout."),
    option("--quiet", is_flag=True, help="No progress on stderr."),
)


def selection(command: Command) -> Command:
    """The options that choose instances."""
    command = option("--instance", "instances", multiple=True, help="Only this instance_id (repeatable).")(command)
    return option("--repo", "repos", multiple=True, help="Only this repository, OWNER/NAME (repeatable).")(command)


def accessing(command: Command) -> Callable[..., None]:
    """Add the options for reaching a hosting service; the command gets them as `access`."""

    @functools.wraps(command)
    def with_access(**options: Any) -> None:
        from builder.protocols import Access

        names = ("api_url", "clone_url", "token_file", "ca_bundle", "proxy", "max_points")
        command(access=Access(**{name: options.pop(name) for name in names}), **options)

    decorated: Callable[..., None] = with_access
    for decorate in reversed(ACCESS):
        decorated = decorate(decorated)
    return decorated


ACCESS = (
    option("--api-url", default="https://api.github.com", help="REST root of GitHub, or https://HOST/api/v3."),
    option("--clone-url", default="", help="Where to clone from, with {repo}. [the service's HTTPS address]"),
    option("--token-file", type=click.Path(path_type=Path), default=None, help="Tokens, one a line."),
    option("--ca-bundle", type=click.Path(path_type=Path), default=None, help="Certificates (PEM) to trust."),
    option("--proxy", default="", help="URL of a proxy. [as the environment says]"),
    option("--max-points", type=click.IntRange(min=1), default=None, help="GraphQL points that may be spent."),
)


def make_settings(options: dict[str, Any]) -> Settings:
    """Take the common options out of a command's options."""
    from builder.settings import Settings, default_workers

    return Settings(
        workspace=options.pop("workspace"),
        runtime=options.pop("runtime"),
        engine=options.pop("engine"),
        workers=options.pop("workers") or default_workers(),
        json=options.pop("as_json"),
        quiet=options.pop("quiet"),
        data_dir=options.pop("data_dir"),
        base=options.pop("base"),
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="builder")
def cli() -> None:
    """Turn repositories into verified, executable software-engineering tasks."""


@cli.command()
@click.argument("repos", nargs=-1, metavar="REPO...")
@option("--repos", "listed", type=click.Path(path_type=Path), default=None, help="A list that `builder repos` wrote.")
@option("--source", default=None, help="github, gharchive, git, index or pypi. [by the other options, else github]")
@option("--git-dir", type=click.Path(path_type=Path), default=None, help="A local clone with its whole history.")
@option("--index", type=click.Path(path_type=Path), default=None, help="A JSON Lines file of facts.")
@option("--archive-dir", type=click.Path(path_type=Path), default=None, help="Hourly files as GH Archive has them.")
@option("--since", default=None, help="Merged on or after this date (ISO 8601).")
@option("--until", default=None, help="Merged on or before this date (ISO 8601).")
@option("--pull", "pulls", type=int, multiple=True, help="Only this pull request (repeatable).")
@option("--release", "releases", multiple=True, help="Only this release of a pypi/NAME project (repeatable).")
@option("--limit", type=click.IntRange(min=1), default=None, help="At most this many changes, newest first.")
@option("--replay", is_flag=True, help="Only what was read from the service before; no network.")
@option("--dry-run", is_flag=True, help="Only say what it would cost.")
@accessing
@common
def harvest(
    repos: tuple[str, ...],
    listed: Path | None,
    source: str | None,
    dry_run: bool,
    access: Access,
    settings: Settings,
    **narrowed: Any,
) -> None:
    """Read merged changes of repositories and make candidate tasks of them."""
    from builder import harvesting, session, views
    from builder.protocols import HarvestRequest

    repos = harvesting.named_repositories(repos, listed)
    request = HarvestRequest("", Path(), access=access, **narrowed)
    if dry_run:
        show(settings, views.estimated(harvesting.estimate(repos, source, request)))
        return
    with session.writing(settings) as opened:
        outcome = harvesting.harvest(opened, repos, source, request)
        show(settings, views.harvested(opened.store, repos, outcome.points), outcome)


@cli.command("repos")
@option("--output", type=click.Path(path_type=Path), default=None, help="Write the list here, for harvest --repos.")
@option("--seart", type=click.Path(path_type=Path), default=None, help="Read this CSV of SEART's, and not GitHub.")
@option("--language", default="Python", help="The main language.")
@option("--created-before", type=click.DateTime(["%Y-%m-%d"]), default="2022-07-01", help="Created before this day.")
@option("--stars-over", type=click.IntRange(min=0), default=500, help="More stars than this.")
@option("--lines-at-least", type=click.IntRange(min=0), default=300, help="At least this many lines of code.")
@option("--pulls-over", type=click.IntRange(min=0), default=500, help="More pull requests than this.")
@option("--contributors-over", type=click.IntRange(min=0), default=100, help="More contributors than this.")
@option("--license", "licenses", multiple=True, help="Only this licence, an SPDX identifier (repeatable). [any]")
@option("--limit", type=click.IntRange(min=1), default=None, help="At most this many, the most promising first.")
@accessing
@common
def choose_repositories(
    output: Path | None, seart: Path | None, limit: int | None, access: Access, settings: Settings, **given: Any
) -> None:
    """Find repositories by SWE-Gym's criteria, ranked by how many tasks they promise."""
    from datetime import UTC

    from builder import harvesting, views
    from builder.repositories import Criteria

    created_before = given.pop("created_before").replace(tzinfo=UTC)
    criteria = Criteria(created_before=created_before, **given)
    show(settings, views.repositories(harvesting.choose_repositories(access, criteria, seart, output, limit)))


@cli.command("build-images")
@selection
@option("--push", "target", default="", help="Upload the images below this REGISTRY/NAMESPACE.")
@option("--list-size", is_flag=True, help="Only say what the built images weigh, and what they share.")
@option("--contexts", type=click.Path(path_type=Path, file_okay=False), help="Only write Dockerfiles, with contexts.")
@common
def build_images(
    repos: tuple[str, ...],
    instances: tuple[str, ...],
    target: str,
    list_size: bool,
    contexts: Path | None,
    settings: Settings,
) -> None:
    """Resolve environments, build the layers of candidate tasks, and upload them where --push says."""
    from builder import commands, session, views

    with session.writing(settings) as opened:
        chosen = commands.select(opened, repos, instances)
        if contexts is not None:
            outcome = commands.plan(opened, chosen)
            show(settings, views.contexts(commands.write_contexts(opened, chosen, contexts)), outcome)
        elif list_size:
            show(settings, views.sizes(commands.sizes(opened, chosen)))
        elif target:
            outcome = commands.upload(opened, chosen, target)
            show(settings, views.uploads(opened.store, chosen), outcome)
        else:
            outcome = commands.build_images(opened, chosen)
            show(settings, views.images(opened.store, chosen), outcome)


@cli.command("base-image")
@click.argument("name", default="builder-base")
@option("--suite", default="bookworm", help="The release of Debian.")
@option("--mirror", default="http://deb.debian.org/debian", help="Where its packages are.")
@option("--package", "packages", multiple=True, help="A further package (repeatable).")
@option("--from", "reference", default="", help="Adapt this image, NAME@sha256:…, instead of making one.")
@option("--unpack", "directory", type=click.Path(path_type=Path), help="Write the image's files here; made if missing.")
@common
def base_image(name: str, reference: str, directory: Path | None, settings: Settings, **origin: Any) -> None:
    """Make the system that the images of the docker runtime stand on; needs root and debootstrap, but no registry."""
    from builder import base_images, views

    wanted = base_images.Origin(reference=reference, **origin)
    if directory is None:
        made = base_images.make(settings, name, wanted)
    else:
        made = base_images.unpack(settings, name, wanted, directory)
    show(settings, views.base_image(name, made.id, made.bytes))


@cli.command()
@selection
@option("--runs", type=click.IntRange(min=1), default=3, help="Fresh runs on each side of the gold patch.")
@option("--f2p-rule", type=click.Choice(["swe-bench", "swe-gym"]), default="swe-bench", help="What FAIL_TO_PASS means.")
@option("--timeout", type=click.IntRange(min=1), default=1800, help="Seconds for one run of an instance's tests.")
@common
def validate(repos: tuple[str, ...], instances: tuple[str, ...], settings: Settings, **rules: Any) -> None:
    """Run the tests before and after the gold patch, and keep what can be trusted."""
    from builder import commands, session, views
    from builder.jobs import ValidationRules

    with session.writing(settings) as opened:
        chosen = commands.select(opened, repos, instances)
        outcome = commands.validate(opened, chosen, ValidationRules(rules["runs"], rules["f2p_rule"], rules["timeout"]))
        show(settings, views.validations(opened.store, chosen), outcome)


@cli.command()
@click.argument("target", metavar="dir:PATH")
@option("--split", "splits", type=click.Choice(["raw", "full", "lite"]), multiple=True, help="Only this split.")
@option("--dry-run", is_flag=True, help="Only say what would change.")
@common
def push(target: str, splits: tuple[str, ...], dry_run: bool, settings: Settings) -> None:
    """Write the data set: parquet files, splits raw, full and lite, and a card."""
    from builder import commands, session, views

    with session.reading(settings) as store:
        show(settings, views.pushed(commands.push(settings, store, target, splits, dry_run=dry_run)))


@cli.command()
@click.argument("kind", metavar="facts")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@common
def export(kind: str, directory: Path, settings: Settings) -> None:
    """Write the validated instances in another form: `facts` has ids, commits, counts and locks, no text or code."""
    from builder import commands, session, views

    with session.reading(settings) as store:
        show(settings, views.exported(kind, directory, commands.export(store, kind, directory)))


@cli.command()
@common
def status(settings: Settings) -> None:
    """Count what the workspace holds, by repository, step and outcome."""
    from builder import session, views

    with session.reading(settings) as store:
        show(settings, views.status(store))


@cli.command("show")
@click.argument("instance_id")
@common
def show_instance(instance_id: str, settings: Settings) -> None:
    """Show all that is known about an instance; with --json, its published row."""
    from builder import session, views

    with session.reading(settings) as store:
        show(settings, views.instance(settings, store, instance_id))


@cli.command()
@common
def doctor(settings: Settings) -> None:
    """Check what this machine has of what is needed, and say what to do about the rest."""
    from builder import diagnosis, views

    findings = diagnosis.examine(settings)
    show(settings, views.findings(findings))
    if not all(finding.ok for finding in findings if finding.needed):
        sys.exit(3)


@cli.command()
@option("--layers", is_flag=True, help="Also remove all built layers and downloads; the next build makes them again.")
@option("--disk-budget", type=Bytes(), default=None, help="Remove the oldest images until this is left: 50GB, 800MB.")
@common
def clean(layers: bool, disk_budget: int | None, settings: Settings) -> None:
    """Remove what killed runs left behind."""
    from builder import commands, session, views

    with session.writing(settings) as opened:
        leftovers = commands.clean(opened)
        removed = commands.remove_layers(opened) if layers else None
        pruned = None if disk_budget is None else commands.prune(opened, disk_budget)
        show(settings, views.cleaned(leftovers, removed, pruned))


@cli.command()
@option("--sample", is_flag=True, help="Use the built-in sample repository instead of real releases.")
@common
def demo(sample: bool, settings: Settings) -> None:
    """Run the whole job on four real release pairs from the package index."""
    from builder import demonstration

    shown = demonstration.sample(settings) if sample else demonstration.releases(settings)
    show(settings, shown.view, shown.outcome)


def show(settings: Settings, view: View, outcome: Outcome | None = None) -> None:
    """Print a view as text or JSON, then what went wrong on stderr; exit 1 if something did."""
    print(json.dumps(view.data, indent=2) if settings.json else view.text)
    if outcome is not None and outcome.failed:
        from builder import views

        print(views.errors(outcome), file=sys.stderr)
        sys.exit(1)


def main() -> NoReturn:
    """The entry point: errors become their message, their hint and their exit code."""
    from builder.errors import BuilderError

    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BuilderError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader went away (`builder status | head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
