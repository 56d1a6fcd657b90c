"""Ask a project's build backend for its metadata (PEP 517). Standard library only, Python 3.6 and newer.

Usage: read_metadata.py BACKEND BACKEND_PATH requires|metadata
`requires` prints what the backend wants to build a wheel or an editable install, one PEP 508 line each.
`metadata` writes /tmp/metadata.json.
"""

import email
import glob
import importlib
import json
import os
import sys
import tempfile
import zipfile


def load(name, path):
    sys.path[:0] = [os.path.abspath(part) for part in path.split(os.pathsep) if part]
    module, _, attribute = name.partition(":")
    backend = importlib.import_module(module)
    for part in attribute.split(".") if attribute else []:
        backend = getattr(backend, part)
    return backend


def requires(backend):
    found = []
    for hook in ("get_requires_for_build_wheel", "get_requires_for_build_editable"):
        if hasattr(backend, hook):
            found.extend(getattr(backend, hook)({}))
    return sorted(set(found))


def metadata_text(backend):
    directory = tempfile.mkdtemp()
    if hasattr(backend, "prepare_metadata_for_build_wheel"):
        name = backend.prepare_metadata_for_build_wheel(directory, {})
        with open(os.path.join(directory, name, "METADATA"), encoding="utf-8") as file:
            return file.read()
    backend.build_wheel(directory, {})
    with zipfile.ZipFile(glob.glob(os.path.join(directory, "*.whl"))[0]) as wheel:
        name = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")][0]
        return wheel.read(name).decode("utf-8")


def main():
    sys.argv[1:], arguments = [], sys.argv[1:]
    backend = load(arguments[0], arguments[1])
    if arguments[2] == "requires":
        output, sys.stdout = sys.stdout, sys.stderr
        output.write("".join(line + "\n" for line in requires(backend)))
        return
    message = email.message_from_string(metadata_text(backend))
    facts = {
        "name": message["Name"],
        "version": message["Version"],
        "requires": message.get_all("Requires-Dist") or [],
        "extras": message.get_all("Provides-Extra") or [],
        "can_build_editable": hasattr(backend, "build_editable"),
    }
    with open("/tmp/metadata.json", "w") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    main()
