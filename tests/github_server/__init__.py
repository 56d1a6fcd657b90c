"""A generated world and a service on the loopback that shows it as GitHub would. For tests and benchmarks."""

from github_server.fates import Shape
from github_server.faults import Fault, Faults
from github_server.server import Server, serve
from github_server.truth import Text, Truth
from github_server.world import Repository, Traits, World

__all__ = ["Fault", "Faults", "Repository", "Server", "Shape", "Text", "Traits", "Truth", "World", "serve"]
