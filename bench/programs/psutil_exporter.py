"""A sampler with psutil as people write them, sampling when it is asked: `psutil_exporter.py SERVER_PID`."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from bench.programs.psutil_members import Sampler

_NAMES = (
    "cpu_seconds_total",
    "resident_bytes",
    "threads",
    "open_fds",
    "read_bytes_total",
    "written_bytes_total",
)


def main() -> None:
    sampler = Sampler(int(sys.argv[1]))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            lines = [
                f'pane_{name}{{pid="{pane}"}} {value}'
                for pane, values in sampler.sample().items()
                for name, value in zip(_NAMES, values, strict=True)
            ]
            body = ("\n".join(lines) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
