"""Turn repositories into verified, executable software-engineering tasks.

Importing this package is free of side effects and of heavy imports; the commands import what they need.
"""

__version__ = "0.1.0"
