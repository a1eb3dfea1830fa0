"""Starts a server with the official SDK, lists its tools and calls the first one.

Reads `command`, `args`, `env` and `cwd` as JSON; writes the names of the tools, and the answer.
"""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters, stdio_client


async def tools_and_answer(entry: dict[str, Any]) -> tuple[list[str], Any]:
    async with stdio_client(StdioServerParameters(**entry)) as streams, ClientSession(*streams) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        answer = await session.call_tool(tools[0], {})
        return tools, json.loads(answer.content[0].text)


json.dump(asyncio.run(tools_and_answer(json.load(sys.stdin))), sys.stdout)
