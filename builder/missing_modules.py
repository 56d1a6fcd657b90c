"""Modules that tests import and nothing declares: found by collecting the tests once where a lock is tried out.

"No module named X" stands for the distribution that provides X, as of the date of the lock.
"""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from builder.protocols import Sandbox
from builder.source_tree import SourceTree
from builder.templating import Templates

COLLECT_SECONDS = 300.0

_MISSING = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([A-Za-z_]\w*)")
_DISTRIBUTIONS = {
    "attr": "attrs", "bs4": "beautifulsoup4", "crypto": "pycryptodome", "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "git": "gitpython",
    "github": "pygithub", "jose": "python-jose", "jwt": "pyjwt", "magic": "python-magic", "openssl": "pyopenssl",
    "pil": "pillow", "pkg-resources": "setuptools", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "slugify": "python-slugify", "socks": "pysocks", "usb": "pyusb", "yaml": "pyyaml",
    "zmq": "pyzmq",
}  # fmt: skip
"""Distributions that are not named like their module (both canonical)."""


def distributions(sandbox: Sandbox, templates: Templates, tree: SourceTree, test_cmd: str) -> list[str]:
    """What to install besides the lock that `try_lock` left in /tmp/trial, so that tests can be collected; sorted.

    Modules that the repository has itself are none of these: they may have to be built first.
    """
    script = templates.render("collect_tests.sh.j2", test_cmd=test_cmd)
    output = sandbox.exec(script, timeout=COLLECT_SECONDS).output.decode("utf-8", "replace")
    names = {name for name in _MISSING.findall(output) if not _is_own(name, tree)}
    canonical = {str(canonicalize_name(name)) for name in names}
    return sorted({_DISTRIBUTIONS.get(name, name) for name in canonical})


def _is_own(module: str, tree: SourceTree) -> bool:
    parts = re.compile(rf"(?:^|/){re.escape(module)}(?:/|\.(?:py|pyx|so|c)$)")
    return any(parts.search(path) for path in tree.paths)
