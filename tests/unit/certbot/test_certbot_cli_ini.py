"""Options that others give every certbot of a host, named where an order founders on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import cli_ini
from ansible_collections.portside.vps.plugins.module_utils.certbot.client import Certbot
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import CONFIG, NOT_AS_ORDERED, OTHER, Problem
from ansible_collections.portside.vps.plugins.module_utils.command import Completed

from tests.unit.certbot import certbot_runs

# Of Debian's package, 2.1.0 and 4.0.0.
PACKAGED = """\
# Because we are using logrotate for greater flexibility, disable the
# internal certbot logrotation.
max-log-backups = 0
# Adjust interactive output regarding automated renewal
preconfigured-renewal = True
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PACKAGED, []),
        ("", []),
        ("; standalone = True\n[section]\nemail = a@b.example\nagree_tos = True\n", []),
        (PACKAGED + "standalone = True\n", ["standalone = True"]),
        (
            "authenticator: nginx\n  preferred_challenges = dns\n",
            ["authenticator: nginx", "preferred_challenges = dns"],
        ),
        ("config-dir = /srv/certs\n", ["config-dir = /srv/certs"]),
        ("eab-hmac-key = do-not-show\n", ["eab-hmac-key"]),
    ],
)
def test_options_that_stand_against_an_order_are_found(tmp_path: Path, text: str, found: list[str]) -> None:
    file = tmp_path / "cli.ini"
    file.write_text(text)
    assert cli_ini.foreign([file, tmp_path / "none.ini"]) == [f"{file} says `{line}`" for line in found]


def test_the_files_of_the_host_and_of_its_user_are_read() -> None:
    assert cli_ini.files({"HOME": "/root"}) == [
        Path("/etc/letsencrypt/cli.ini"),
        Path("/root/.config/letsencrypt/cli.ini"),
    ]
    assert cli_ini.files({"XDG_CONFIG_HOME": "/x", "HOME": "/root"})[1] == Path("/x/letsencrypt/cli.ini")


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
@pytest.mark.parametrize("case", ["ini-standalone", "ini-dns", "ini-unknown", "ini-staging"])
def test_order_that_founders_on_a_foreign_cli_ini_names_it(tmp_path: Path, version: str, case: str) -> None:
    file = tmp_path / "cli.ini"
    file.write_text("standalone = True\n")
    captured = certbot_runs.run(version, case)
    certbot = Certbot(
        "https://acme.example/dir",
        "",
        "/var/www/acme",
        {},
        tmp_path / "log",
        cli_ini=[file],
        runner=lambda argv, env: Completed(tuple(argv), 1, captured.stdout, captured.stderr),
    )
    (found,) = certbot.call(["certbot", "certonly"])
    assert found.kind == CONFIG
    assert f"{file} says `standalone = True`, which holds for every certbot on this host" in found.detail
    assert "take out of that file" in found.next_step


def test_what_cli_ini_has_no_part_in_is_not_blamed_on_it() -> None:
    problems = [Problem("dns", "x", "a.example"), Problem(NOT_AS_ORDERED, "y"), Problem(OTHER, "z")]
    found = cli_ini.blamed(problems, ["/etc/letsencrypt/cli.ini says `dry-run = True`"])
    assert [problem.kind for problem in found] == ["dns", NOT_AS_ORDERED, CONFIG]
    assert [("dry-run" in problem.detail) for problem in found] == [False, True, True]
    assert cli_ini.blamed(problems, []) == problems
