"""A server made with the official SDK, whose only tool returns what its process received."""

import json
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer


def received() -> str:
    """Return the arguments, variables and folder of this process."""
    return json.dumps({"argv": sys.argv[1:], "environment": dict(os.environ), "cwd": str(Path.cwd())})


server = MCPServer("test")
server.add_tool(received)
server.run("stdio")
