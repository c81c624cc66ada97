"""A host in a directory, with a certbot that keeps its files as the real one does but asks nobody."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import converge, hook, managed_files
from ansible_collections.portside.vps.plugins.module_utils.certbot import plan as plans
from ansible_collections.portside.vps.plugins.module_utils.certbot.client import Certbot
from ansible_collections.portside.vps.plugins.module_utils.certbot.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.preflight import Preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Wanted, parse
from ansible_collections.portside.vps.plugins.module_utils.command import Completed

from tests.unit.certbot import certbot_runs

SERVER = "https://acme.test:14000/dir"


class FakeHost:
    """The host, its certbot, and its web server (two commands that succeed unless told otherwise).

    Attributes:
        calls: what certbot was asked: the subcommand, and the lineage if there is one.
        trouble: by lineage (or subcommand), the cases of `certbot_runs` that its next calls end in.
    """

    def __init__(self, root: Path) -> None:
        self.host = Host(root)
        self.calls: list[str] = []
        self.argv: list[Sequence[str]] = []
        self.trouble: dict[str, list[str]] = {}
        self.serial = 0
        self.account = 0
        self.waited: list[float] = []
        self.check: list[str] = ["true"]
        self.reload: list[str] = ["true"]
        self.preflight: Preflight | None = None
        self.strict = True
        self.profiles: frozenset[str] | None = None
        self.most_failures = 0
        self.rotates = False
        self.host.log.parent.mkdir(parents=True)

    def wanted(self, *certificates: Mapping[str, object], **other: str) -> Wanted:
        """A declaration; paths are those of the fake host."""
        settings = {"directory": SERVER, "email": "", "webroot": "/var/www/acme", "link_dir": "/etc/nginx/tls", **other}
        return parse(certificates, **settings)

    def config(self, wanted: Wanted) -> hook.Config:
        """The deploy hook's configuration."""
        return managed_files.hook_config(self.host, wanted, self.check, self.reload)

    def plan(self, wanted: Wanted) -> plans.Plan:
        """What has to be done."""
        config = self.config(wanted)
        watch = managed_files.Watch()
        files = managed_files.managed_files(self.host, wanted, ca="", declared={}, config=config, watch=watch)
        return plans.plan(self.host, wanted, files, config, datetime.now(UTC))

    def run(self, wanted: Wanted) -> converge.Outcome:
        """Plan and carry out."""
        plan = self.plan(wanted)
        certbot = Certbot(
            server=wanted.server,
            email=wanted.email,
            webroot=wanted.webroot,
            environment={},
            log=self.host.log,
            account=plans.account(self.host, wanted),
            runner=self._certbot,
            sleep=self.waited.append,
        )
        guard = Guard(self.host.failed_orders, wanted.server, self.most_failures, datetime.now(UTC))
        checks = converge.Checks(self.preflight, self.strict, guard, lambda: self.profiles)
        return converge.Convergence(self.host, wanted, self.config(wanted), certbot, checks).run(plan)

    def _certbot(self, argv: Sequence[str], _env: Mapping[str, str]) -> Completed:
        options = dict(pairwise(argv))
        subcommand, name = argv[1], options.get("--cert-name", "")
        self.calls.append(f"{subcommand} {name}".strip())
        self.argv.append(argv)
        ahead = self.trouble.get(name or subcommand, [])
        if ahead:
            run = certbot_runs.run("2.1.0", ahead.pop(0))
            if self.rotates and self.host.log.exists():
                os.rename(self.host.log, self.host.log.with_suffix(".log.1"))
            with self.host.log.open("a") as log:
                log.write(run.log)
            return Completed(tuple(argv), 1, run.stdout, run.stderr)
        if subcommand == "register":
            self.account += 1
            folder = self.host.config_dir / "accounts/acme.test:14000/dir" / f"account{self.account}"
            folder.mkdir(parents=True)
            (folder / "regr.json").write_text("{}")
        elif subcommand == "certonly":
            names = [value for option, value in pairwise(argv) if option in {"--domain", "--ip-address"}]
            self.issue(name, names, server=options["--server"], webroot=options["--webroot-path"])
        elif subcommand == "delete":
            for piece in self.host.pieces(name):
                subprocess.run(["rm", "-r", str(piece)], check=True)
        return Completed(tuple(argv), 0, "", "")

    def issue(self, name: str, names: Sequence[str], *, server: str = SERVER, webroot: str = "/var/www/acme") -> None:
        """What certbot leaves when it has got a certificate."""
        self.serial += 1
        live, archive = self.host.live_dir(name), self.host.config_dir / "archive" / name
        live.mkdir(parents=True, exist_ok=True)
        archive.mkdir(parents=True, exist_ok=True)
        files = {kind: archive / f"{kind}{self.serial}.pem" for kind in ("cert", "privkey", "chain", "fullchain")}
        argv = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "90",
        ]
        subjects = ",".join(f"{'IP' if ':' in n else 'DNS'}:{n}" for n in names)
        argv += ["-subj", "/CN=fake", "-addext", f"subjectAltName={subjects}"]
        argv += ["-keyout", str(files["privkey"]), "-out", str(files["cert"])]
        subprocess.run(argv, check=True, capture_output=True)
        files["fullchain"].write_bytes(files["cert"].read_bytes())
        files["chain"].write_text("chain")
        for kind, file in files.items():
            link = live / f"{kind}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../archive/{name}/{file.name}")
        lines = ["version = 4.0.0", *(f"{kind} = {live}/{kind}.pem" for kind in files), "", "[renewalparams]"]
        lines += [
            f"account = account{self.account}",
            "key_type = ecdsa",
            f"server = {server}",
            "authenticator = webroot",
        ]
        lines += [f"webroot_path = {webroot},", "[[webroot_map]]", *(f"{n} = {webroot}" for n in names)]
        conf = self.host.renewal_conf(name)
        conf.parent.mkdir(parents=True, exist_ok=True)
        conf.write_text("\n".join(lines) + "\n")

    def link(self, name: str) -> Path:
        """The web server's link."""
        return self.host.root / "etc/nginx/tls" / name
