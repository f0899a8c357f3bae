"""What does the event loop alone cost? A bare uvloop Protocol that sends back what it gets.

    python perf/echo.py [--port 0]       prints {"event": "ready", "port": N}
"""
import argparse
import asyncio
import contextlib
import json
from typing import cast

import uvloop


class Echo(asyncio.Protocol):
    """data_received -> transport.write(data), and nothing else."""

    transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    print(json.dumps({"event": "ready", "port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
