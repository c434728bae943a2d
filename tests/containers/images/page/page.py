"""Stands in for a web application: reads what is mounted for it, then serves the list on the application's port."""

import http.server
import json
import pathlib
import sys

port, *folders = sys.argv[1:]
files = [file for folder in folders for file in sorted(pathlib.Path(folder).rglob("*")) if file.is_file()]
for file in files:
    text = file.read_text()
    if file.suffix == ".json":
        json.loads(text)
page = "\n".join(map(str, files)).encode()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page)


http.server.ThreadingHTTPServer(("", int(port)), Page).serve_forever()
