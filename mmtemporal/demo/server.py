"""Serving the page to this machine, and to nobody else."""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec

LOOPBACK = '127.0.0.1'
MAX_UPLOAD = '256mb'
MISSING = (
    'the demo needs gradio, which is not installed: pip install "mmtemporal[demo]", or '
    'pip install "gradio>=6.31,<7"'
)
# What gradio reads when it is imported.
SETTINGS = dict(
    GRADIO_ANALYTICS_ENABLED='False',
    GRADIO_RUN_HISTORY='False',
    GRADIO_MCP_SERVER='False',
    HF_HUB_OFFLINE='1',
)
# The page may use what this server gives it, and nothing else.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "form-action 'none'; frame-ancestors 'none'"
)


def check_installed() -> None:
    """Raise a ValueError if gradio is not installed."""
    if find_spec('gradio') is None:
        raise ValueError(MISSING)


def listen(port: int) -> socket.socket:
    """Open a port of this machine that other machines do not reach.

    Args:
        port: Its number; 0 chooses one that is free.

    Raises:
        ValueError: It cannot be had.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        # A browser that comes before the page is ready waits, and is not refused.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise ValueError(f'--port {port}: {error}; give another one') from error
    return listener


def serve(listener: socket.socket, build: Callable[[], object]) -> None:
    """Serve a page until the process is told to end; remove what was uploaded, and end.

    Args:
        listener: The open port, of :func:`listen`.
        build: Makes the page, ``gradio.Blocks``. Called when gradio is set up, which
            must not be imported before.
    """
    # Otherwise nothing is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix='mmtemporal-demo-') as folder:
        os.environ.update(SETTINGS, GRADIO_TEMP_DIR=folder)
        tempfile.tempdir = folder
        try:
            _run(listener, build)
        except (KeyboardInterrupt, SystemExit):
            pass
    # The thread of a network that still computes would keep the process for minutes.
    os._exit(0)


def _run(listener: socket.socket, build: Callable[[], object]) -> None:
    import gradio
    import uvicorn
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from .page import page_style

    # gradio's own launch() can be told by the environment to share the page, and asks
    # other hosts; so it is one of the pages of a server of ours.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # A page of the Web that has its name lead here does not reach the server.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, 'localhost'])
    app.add_middleware(_WithPolicy)
    theme, style = page_style()
    gradio.mount_gradio_app(
        app,
        build(),
        path='/',
        server_name=LOOPBACK,
        server_port=listener.getsockname()[1],
        max_file_size=MAX_UPLOAD,
        allowed_paths=[],
        footer_links=[],
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme,
        css=style,
    )
    config = uvicorn.Config(app, log_level='warning', timeout_graceful_shutdown=1)
    address = f'http://{LOOPBACK}:{listener.getsockname()[1]}'
    print(f'Open {address} in a browser. Ctrl-C ends it.', flush=True)
    uvicorn.Server(config).run(sockets=[listener])


class _WithPolicy:
    """Says with every answer of an application what its pages may use."""

    def __init__(self, app: Callable) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        async def send_with_policy(message: dict) -> None:
            if message['type'] == 'http.response.start':
                header = (b'content-security-policy', POLICY.encode())
                message['headers'] = [*message['headers'], header]
            await send(message)

        await self.app(scope, receive, send_with_policy)
