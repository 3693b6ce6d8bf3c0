"""nginx in the server's namespace, with a configuration and a prefix of its own."""

from __future__ import annotations

import os
from pathlib import Path

from labkit.nodeconf import WEB_PORT
from labkit.topology import SERVER_ADDRESS, SERVER_ADDRESS6

BIG_FILE = "big.bin"
BIG_BYTES = 256 << 20
SMALL_FILE = "small.bin"
SMALL_BYTES = 4096

_CONFIGURATION = """\
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off;
user root;
worker_processes 1;
pid {data}/nginx.pid;
error_log {log} warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    keepalive_timeout 3600;
    keepalive_requests 100000000;
    client_header_timeout 600;
    client_body_timeout 600;
    send_timeout 600;
    client_max_body_size 0;
    client_body_temp_path {data}/body;
    proxy_temp_path {data}/unused;
    fastcgi_temp_path {data}/unused;
    uwsgi_temp_path {data}/unused;
    scgi_temp_path {data}/unused;
    default_type application/octet-stream;
    map $arg_rate $pace {{ "" 0; default $arg_rate; }}
    server {{
        listen {address}:{port} backlog=4096;
        listen [{address6}]:{port} backlog=4096;
        root {data}/files;
        # GET /big.bin?rate=6m is paced here, at the server.
        location / {{ limit_rate $pace; }}
        location /upload/ {{ alias {data}/uploads/; dav_methods PUT; }}
        location = /echo {{ client_body_buffer_size 64k; echo_read_request_body; echo_request_body; }}
    }}
}}
"""


def prepare(data: Path, log: Path) -> list[str]:
    """Write configuration and files; returns nginx's command line."""
    for directory in ("files", "uploads", "body", "unused"):
        (data / directory).mkdir(parents=True, exist_ok=True)
    random_file(data / "files" / BIG_FILE, BIG_BYTES)
    random_file(data / "files" / SMALL_FILE, SMALL_BYTES)
    configuration = data / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(data=data, log=log, address=SERVER_ADDRESS, address6=SERVER_ADDRESS6,
                                                   port=WEB_PORT))
    return ["nginx", "-p", str(data), "-c", str(configuration), "-e", str(log)]


def random_file(path: Path, size: int) -> None:
    if path.exists() and path.stat().st_size == size:
        return
    with path.open("wb") as file:
        for offset in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - offset)))
