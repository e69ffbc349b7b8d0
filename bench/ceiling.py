"""A server on the same HTTP stack that does no work: the most that `bench.api` can show on this machine.

    python -m bench.ceiling --port N --certificate FILE --key FILE --pods FILE

It answers every path with bytes that were made in advance. The pods that it sends are those of the file, a
PodList as the measured server gave it, so that both send as much.
"""

import json
import ssl
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web


def main(
    port: Annotated[int, typer.Option()],
    certificate: Annotated[Path, typer.Option()],
    key: Annotated[Path, typer.Option()],
    pods: Annotated[Path, typer.Option(help="A PodList as JSON.")],
) -> None:
    """Serve until a signal comes."""
    import uvloop

    uvloop.install()
    items = [
        json.dumps(each, separators=(",", ":")).encode() for each in json.loads(pods.read_text())["items"]
    ]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", _Answers(items))
    web.run_app(app, host="127.0.0.1", port=port, ssl_context=context, access_log=None, print=None)


class _Answers:
    def __init__(self, pods: list[bytes]) -> None:
        self._pod = pods[0]
        self._lists = {size: _list(pods[:size]) for size in {len(pods) // 10, 500, len(pods)}}
        self._sizes = (len(pods) // 10, len(pods))

    async def __call__(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            body = await request.read()
            return web.Response(status=201, body=body, content_type="application/json")
        if request.method == "PATCH":
            await request.read()
        elif request.path.endswith("/pods"):
            selected, everything = self._sizes
            size = (
                selected if "labelSelector" in request.query else int(request.query.get("limit", everything))
            )
            return web.Response(body=self._lists[size], content_type="application/json")
        return web.Response(body=self._pod, content_type="application/json")


def _list(pods: list[bytes]) -> bytes:
    return (
        b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[%b]}'
        % b",".join(pods)
    )


if __name__ == "__main__":
    typer.run(main)
