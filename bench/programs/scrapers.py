"""Several scrapers of one page at once: `scrapers.py URL SCRAPERS ROUNDS` prints milliseconds as JSON.

Each keeps its connection, as Prometheus does, and asks twice a second at a moment of its own.
"""

import http.client
import json
import random
import sys
import threading
import time
import urllib.parse

_APART = 0.5


def scrape(host: str, path: str, rounds: int, took: list[float]) -> None:
    connection = http.client.HTTPConnection(host, timeout=60)
    time.sleep(random.random() * _APART)
    for _ in range(rounds):
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        connection.getresponse().read()
        took.append((time.perf_counter() - begun) * 1000)
        time.sleep(_APART)


def main() -> None:
    url = urllib.parse.urlsplit(sys.argv[1])
    scrapers, rounds = int(sys.argv[2]), int(sys.argv[3])
    took: list[float] = []
    threads = [
        threading.Thread(target=scrape, args=(url.netloc, url.path, rounds, took)) for _ in range(scrapers)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(json.dumps(sorted(took)))


if __name__ == "__main__":
    main()
