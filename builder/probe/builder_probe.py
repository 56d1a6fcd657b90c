"""A pytest plugin that reports what every test did, to a channel that the repository does not know.

PYTEST_DONT_REWRITE

It runs inside the sandbox, in the process of the tests: standard library only, CPython 3.6+, pytest 3 to 9. The host
writes this file twice into a fresh directory, under a random name and as `sitecustomize.py`, puts the directory
first on PYTHONPATH, and adds `-p <random name>` to the test command. As `sitecustomize` it is the first Python code
of the process: it takes the secret before anything of the repository can be imported (a `sitecustomize` of the
repository, a package that shadows `pytest`), then makes way for the real `sitecustomize`, if there is one.

Settings: `BUILDER_PROBE` names a JSON file, deleted once read: `key` (hex), `channel` (path), `plugin` (this module's
random name), `pythonpath` (the value to restore, or null), `options` (pytest options to set where they exist).

Channel: one line a record, `<mac> <json>\n`, where mac is the hex HMAC-SHA256, under the key, of the previous line's
raw mac followed by the JSON text. Records, in order:

  start      pytest, python, rootdir, distributed (whether xdist workers run the tests)
  collected  items, ids (distinct)
  collect_error  id (node id of the collector)
  phase      id, when, outcome, seconds; xfail, sub, if true; unknown, if the id was not collected; raised: whether
             the phase was seen to raise, or null if it was not seen to run at all
  end        exit (pytest's exit status), collected (distinct ids)

and in each `n`, its number from 0.

What no plugin can do: withstand code in the same process that is written against it. Whoever walks the heap finds the
functions below. Evaluation of a foreign patch must therefore also restore the tests and what configures them.
"""

import os
import sys

ENVIRONMENT_NAME = "BUILDER_PROBE"
HIGH_DESCRIPTOR = 200


def _writer(key: bytes, path: str) -> object:
    """Return a function that appends one authenticated, numbered record to the channel."""
    import fcntl
    import hashlib
    import hmac
    import json

    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    first = os.open(path, flags, 0o600)
    try:  # low numbers stay free: tests may look at them
        descriptor = fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR)
        os.close(first)
    except OSError:
        descriptor = first
    keyed = hmac.new(key, b"", hashlib.sha256)
    return _write_function(descriptor, keyed, json.JSONEncoder(separators=(",", ":")).encode)


def _write_function(descriptor: int, keyed: object, encode: object) -> object:
    fstat, write, getpid = os.fstat, os.write, os.getpid
    identity = fstat(descriptor)
    owner, place = getpid(), (identity.st_dev, identity.st_ino)
    state = {"mac": b"", "count": 0, "broken": False}

    def emit(record: dict) -> None:
        if getpid() != owner or state["broken"]:  # a forked copy of the process must not write
            return
        text = encode(dict(record, n=state["count"])).encode("ascii")
        mac = keyed.copy()
        mac.update(state["mac"] + text)
        digest = mac.digest()
        line = digest.hex().encode("ascii") + b" " + text + b"\n"
        try:
            now = fstat(descriptor)  # someone may have closed it and opened a file of his own
            state["broken"] = (now.st_dev, now.st_ino) != place or write(descriptor, line) != len(line)
        except OSError:
            state["broken"] = True
        state["mac"] = digest
        state["count"] += 1

    return emit


def _hook(function: object, **options: bool) -> object:
    """What `pytest.hookimpl` does; pytest itself cannot be imported this early."""
    function.pytest_impl = options
    return function


def _evidence_hooks(raised: dict) -> dict:
    """Hooks that see, next to the test itself, whether each phase ran and raised."""

    def watch(when: str) -> object:
        def around(item: object) -> object:
            outcome = yield
            raised[item.nodeid, when] = outcome.excinfo is not None

        return _hook(around, hookwrapper=True, trylast=True)

    owner = os.getpid()

    def around_makereport(item: object, call: object) -> object:
        before = call.excinfo is not None
        outcome = yield
        if before or call.excinfo is not None:  # unittest: known only afterwards
            raised[item.nodeid, call.when] = True
        if os.getpid() != owner and outcome.excinfo is None:  # pytest-forked: the report is all that gets back
            setattr(outcome.get_result(), __name__, raised.get((item.nodeid, call.when)))

    hooks = {"pytest_runtest_" + when: watch(when) for when in ("setup", "call", "teardown")}
    hooks["pytest_runtest_makereport"] = _hook(around_makereport, hookwrapper=True, tryfirst=True)
    return hooks


def _report_hooks(emit: object, ids: set, raised: dict, mode: dict) -> dict:
    """Hooks that turn reports into records."""

    def logreport(report: object) -> None:
        name, when = report.nodeid, report.when
        record = {"kind": "phase", "id": name, "when": when, "outcome": report.outcome}
        record["seconds"] = round(getattr(report, "duration", 0.0), 4)
        if hasattr(report, "wasxfail"):
            record["xfail"] = True
        if "subtest" in type(report).__name__.lower():
            record["sub"] = True
        elif not mode["distributed"]:
            record["raised"] = raised.pop((name, when), getattr(report, __name__, None))
        if name not in ids:
            record["unknown"] = True
        emit(record)

    def collectreport(report: object) -> None:
        if report.outcome == "failed":
            emit({"kind": "collect_error", "id": report.nodeid})

    return {
        "pytest_runtest_logreport": _hook(logreport, tryfirst=True),
        "pytest_collectreport": _hook(collectreport, tryfirst=True),
    }


def _collection_hooks(emit: object, ids: set) -> dict:
    """Hooks that learn what will be run: here, or in the workers of xdist."""

    def collected(names: list) -> None:
        if not names or not ids.issuperset(names):
            ids.update(names)
            emit({"kind": "collected", "items": len(names), "ids": len(ids)})

    def collection_finish(session: object) -> None:
        collected([item.nodeid for item in getattr(session, "items", ())])

    def node_collection_finished(ids: list) -> None:
        collected(ids)

    return {
        "pytest_collection_finish": _hook(collection_finish, trylast=True),
        "pytest_xdist_node_collection_finished": _hook(node_collection_finished, optionalhook=True),
    }


def _session_hooks(emit: object, ids: set, mode: dict, options: dict) -> dict:
    def around_main(config: object) -> object:
        for name, value in options.items():
            if getattr(config.option, name, None) != value and hasattr(config.option, name):
                setattr(config.option, name, value)
        coverage = getattr(config.pluginmanager.getplugin("_cov"), "options", None)
        if getattr(coverage, "cov_fail_under", None) is not None:  # the exit status must speak of tests alone
            coverage.cov_fail_under = 0
        yield

    def sessionstart(session: object) -> None:
        config = session.config
        mode["distributed"] = bool(config.pluginmanager.hasplugin("dsession"))
        if mode["distributed"]:  # workers import this module by name, and leave the path themselves
            _enter_path()
        else:
            _leave_path()
        root = str(getattr(config, "rootpath", None) or config.rootdir)
        version, python = sys.modules["pytest"].__version__, "%d.%d.%d" % sys.version_info[:3]
        record = {"kind": "start", "pytest": version, "python": python, "rootdir": root}
        emit(dict(record, distributed=mode["distributed"]))

    def around_sessionfinish(session: object, exitstatus: int) -> object:
        yield
        status = int(getattr(session, "exitstatus", exitstatus))
        emit({"kind": "end", "exit": status, "collected": len(ids)})

    return {
        "pytest_cmdline_main": _hook(around_main, hookwrapper=True, tryfirst=True),
        "pytest_sessionstart": _hook(sessionstart, tryfirst=True),
        "pytest_sessionfinish": _hook(around_sessionfinish, hookwrapper=True, tryfirst=True),
    }


def _set_pythonpath(entries: list) -> None:
    if entries:
        os.environ["PYTHONPATH"] = os.pathsep.join(entries)
    else:
        os.environ.pop("PYTHONPATH", None)


def _pythonpath() -> list:
    value = os.environ.get("PYTHONPATH")
    return value.split(os.pathsep) if value else []


def _enter_path() -> None:
    """Put this directory on the import path of child processes: xdist below 2 hands on nothing else."""
    _set_pythonpath([os.path.dirname(os.path.abspath(__file__))] + _pythonpath())


def _leave_path() -> None:
    """Take this directory off the import path, here and for child processes."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != here]
    if here in _pythonpath():
        _set_pythonpath([entry for entry in _pythonpath() if entry != here])


def _take_settings() -> dict:
    """Read and delete the settings, and hide that they were there."""
    import json

    path = os.environ.pop(ENVIRONMENT_NAME)
    with open(path, "rb") as stream:
        settings = json.loads(stream.read().decode("ascii"))
    os.unlink(path)
    if settings["pythonpath"] is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = settings["pythonpath"]
    return settings


def _hooks() -> dict:
    """Everything that pytest shall find in this module. In a worker of xdist: nothing."""
    if ENVIRONMENT_NAME not in os.environ:
        _leave_path()
        return {}
    settings = _take_settings()
    emit = _writer(bytes.fromhex(settings["key"]), settings["channel"])
    ids, raised, mode = set(), {}, {"distributed": False}
    hooks = _session_hooks(emit, ids, mode, settings["options"])
    hooks.update(_collection_hooks(emit, ids))
    hooks.update(_report_hooks(emit, ids, raised, mode))
    hooks.update(_evidence_hooks(raised))
    return hooks


def _is_test_command(name: str) -> bool:
    try:
        with open("/proc/self/cmdline", "rb") as stream:
            return name.encode("ascii") in stream.read().split(b"\0")
    except OSError:
        return False


def _as_sitecustomize() -> None:
    """Load the plugin if this process is the one that was told to, then let the real `sitecustomize` run.

    Raises ImportError, as the interpreter expects, if there is none.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    places = sys.path[:]
    foreign = {os.path.abspath(entry) for entry in _pythonpath()} - {here}
    sys.path[:] = [entry for entry in places if entry not in foreign]  # a `json` of the repository shall not serve us
    import importlib

    own = [name[:-3] for name in os.listdir(here) if name.endswith(".py") and name != "sitecustomize.py"]
    for name in own:
        if _is_test_command(name):
            importlib.import_module(name)
    sys.path[:] = [entry for entry in places if entry != here]
    sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    finally:
        if here not in sys.path:
            sys.path.insert(0, here)


if __name__ == "sitecustomize":
    _as_sitecustomize()
else:
    globals().update(_hooks())
