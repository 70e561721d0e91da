"""Debian's Zabbix in a folder of its own: server, frontend for its API, database; own sockets and ports."""

import gzip
import json
import os
import re
import shutil
import subprocess
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children.prometheus import free_port

FRONTEND = Path("/usr/share/zabbix")
SCHEMA = Path("/usr/share/zabbix-server-pgsql")
CONFIGURATION = "/etc/zabbix/zabbix.conf.php"
"""Where Debian's frontend looks; the copy that we serve looks into its own folder."""
INSERT = b"\nINSERT INTO "
OF_TEMPLATES = re.compile(
    rb"host|item|trigger|function|graphs|valuemap|widget|dashboard|lld_|group_prototype|interface|sysmap|op"
    rb"|action|condition|drule|dcheck|http|event"
)
"""Tables of the 300 templates that come with it, which nobody needs here: 30 of 32 MB."""

SERVER = """
DBHost={home}
DBName=zabbix
DBUser=zabbix
ListenPort={port}
ListenIP=127.0.0.1
SocketDir={home}
PidFile={home}/zabbix_server.pid
LogType=console
AllowRoot=1
CacheUpdateFrequency=1
StartVMwareCollectors=0
StartPingers=0
StartDiscoverers=1
StartPollers=1
StartPreprocessors=1
StartDBSyncers=1
Timeout=10
"""
PAGES = """<?php
$DB['TYPE'] = 'POSTGRESQL'; $DB['SERVER'] = '{home}'; $DB['PORT'] = '0'; $DB['DATABASE'] = 'zabbix';
$DB['USER'] = 'zabbix'; $DB['PASSWORD'] = ''; $DB['SCHEMA'] = ''; $DB['ENCRYPTION'] = false;
$DB['DOUBLE_IEEE754'] = true;
"""


class Zabbix:
    """Runs until `close`; `home` is an empty folder with a short path, which another user can reach."""

    def __init__(self, home: Path) -> None:
        self.home, self._stack = home, ExitStack()
        self._session: str | None = None
        self._log = self._stack.enter_context((home / "zabbix.log").open("wb"))
        server = shutil.which("zabbix_server", path=f"{os.environ['PATH']}:/usr/sbin")
        postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        wanted = "zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql postgresql"
        assert server and postgres and FRONTEND.is_dir(), f"install {wanted}: `make check` does it with apt"
        told = run_text((server, "--version")).stdout
        self.version = ".".join(re.findall(r"\d+", told)[:2])
        try:
            self._start_database(postgres[-1])
            # It takes none above 32767.
            port = free_port(20_000 + os.getpid() % 10_000)
            (home / "server.conf").write_text(SERVER.format(home=home, port=port))
            self._start(server, "-f", "-c", str(home / "server.conf"))
            self.url = self._start_frontend()
            wait_for(self._is_ready, f"Zabbix answers (see {home}/zabbix.log)", 120)
        except BaseException:
            self.close()
            raise

    def _start(self, *words: str, user: int | None = None, cwd: Path | None = None) -> None:
        process = subprocess.Popen(
            words,
            stdout=self._log,
            stderr=self._log,
            user=user,
            group=user,
            extra_groups=None if user is None else (),
            cwd=cwd or self.home,
        )
        self._stack.callback(process.wait, 60)
        self._stack.callback(process.terminate)

    def _start_database(self, programs: Path) -> None:
        # It refuses to run as root.
        user, data = 65534 if os.getuid() == 0 else None, self.home / "data"
        data.mkdir(mode=0o700)
        if user:
            os.chown(data, user, user)
            self.home.chmod(0o777)
        made = (programs / "initdb", "-D", data, "-U", "zabbix", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        subprocess.run(
            [*map(str, made), "--auth=trust"],
            check=True,
            stdout=self._log,
            stderr=self._log,
            user=user,
            group=user,
            cwd=self.home,
        )
        words = (programs / "postgres", "-D", data, "-k", self.home, "-c", "listen_addresses=", "-F")
        self._start(*map(str, words), user=user)
        psql = [str(programs / "psql"), "-q", "-h", str(self.home), "-U", "zabbix", "-v", "ON_ERROR_STOP=1"]

        def answers() -> bool:
            return run_text([*psql, "-c", "create database zabbix", "postgres"]).returncode == 0

        wait_for(answers, "the database answers", 60)
        for name in ("schema", "data"):
            first, *inserts = gzip.decompress((SCHEMA / f"{name}.sql.gz").read_bytes()).split(INSERT)
            text = INSERT.join((first, *(each for each in inserts if not OF_TEMPLATES.match(each))))
            whole = [*psql, "-1", "zabbix"]
            subprocess.run(whole, check=True, input=text, stdout=self._log, stderr=self._log)

    def _start_frontend(self) -> str:
        pages, port = self.home / "pages", free_port(0)
        unneeded = shutil.ignore_patterns("assets", "audio", "fonts", "img", "js", "locale")
        shutil.copytree(FRONTEND, pages, ignore=unneeded)
        (self.home / "zabbix.conf.php").write_text(PAGES.format(home=self.home))
        looks = pages / "include" / "classes" / "core" / "CConfigFile.php"
        text = looks.read_text()
        assert CONFIGURATION in text
        looks.write_text(text.replace(CONFIGURATION, str(self.home / "zabbix.conf.php")))
        php = shutil.which("php")
        assert php, "install php-cli php-pgsql: `make check` does it with apt"
        words = (php, "-d", "memory_limit=512M", "-S", f"127.0.0.1:{port}", "-t", str(pages))
        self._start(*words)
        return f"http://127.0.0.1:{port}/api_jsonrpc.php"

    def _is_ready(self) -> bool:
        try:
            self._session = self.api("user.login", {"username": "Admin", "password": "zabbix"})
        except OSError:
            return False
        return True

    def api(self, method: str, params: object) -> Any:
        """The result of a method of the API; what it refuses is an AssertionError."""
        call = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        if self._session:
            call["auth"] = self._session
        request = urllib.request.Request(
            self.url, json.dumps(call).encode(), {"Content-Type": "application/json-rpc"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            said = json.load(answer)
        assert "error" not in said, said["error"]
        return said["result"]

    def import_template(self, text: str) -> None:
        """Import a file as its page does."""
        both = {"createMissing": True, "updateExisting": True}
        groups = "groups" if self.version == "6.0" else "template_groups"
        names = ("templates", "items", "triggers", "discoveryRules", groups)
        call = {"format": "json", "source": text, "rules": dict.fromkeys(names, both)}
        assert self.api("configuration.import", call) is True

    def close(self) -> None:
        """End all of it."""
        self._stack.close()
