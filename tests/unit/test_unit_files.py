"""What users write stays on its line of a file that has one thing a line."""

import pytest
from ansible_collections.portside.vps.plugins.filter.docker import docker_daemon_problems, docker_repository_problems
from ansible_collections.portside.vps.plugins.module_utils import unit_files
from ansible_collections.portside.vps.plugins.module_utils.certbot import declaration
from ansible_collections.portside.vps.plugins.module_utils.ufw import declared

BREAKS = ["a\nb", "a\rb", "a\n", "a\0b", "a\x0bb", "a\x85b", "a\u2028b"]


@pytest.mark.parametrize("value", ["", "http://u:p%40ss@proxy:3128", "a\tb", "ü", "a b"])
def test_an_ordinary_value_is_one_line(value):
    assert unit_files.one_line(value)
    assert docker_daemon_problems({}, {}, {"HTTPS_PROXY": value}) == []


@pytest.mark.parametrize("value", BREAKS)
def test_a_variable_of_the_daemon_that_would_be_a_line_more_is_refused(value):
    (problem,) = docker_daemon_problems({}, {}, {"HTTPS_PROXY": value})
    assert problem.startswith("docker_environment: `HTTPS_PROXY` has a line break")
    assert value not in problem, "it may hold a password"


@pytest.mark.parametrize("name", ["", "A B", "A\nExecStartPre", "1A", "A=B", 'A"'])
def test_a_name_that_is_no_variables_is_refused(name):
    (problem,) = docker_daemon_problems({}, {}, {name: "x"})
    assert "is not the name of an environment variable" in problem
    assert "\n" not in problem


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("part", ["url", "key", "channel"])
def test_a_repository_that_would_be_a_field_more_is_refused(part, value):
    (problem,) = docker_repository_problems(**{"url": "https://x", "key": "", "channel": "stable", part: value})
    assert problem.startswith(f"docker_repository_{part} has a line break")


def test_a_signing_key_in_armour_has_many_lines():
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ\n-----END PGP PUBLIC KEY BLOCK-----\n"
    assert docker_repository_problems("https://x", key, "stable") == []


GOOD = {"directory": "production", "email": "", "webroot": "/var/www/acme", "link_dir": "/etc/nginx/tls"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("directory", "https://acme.example.com/directory\npre_hook = x"),
        ("webroot", "/var/www/acme\npre_hook = x"),
        ("link_dir", "/etc/tls\nx"),
        ("profile", "shortlived\npre_hook = x"),
        ("eab", {"kid": "k\nserver = x", "hmac_key": "h"}),
        ("service_writable", ["/srv\nExecStartPre=x"]),
        ("environment", {"HTTPS_PROXY": "http://proxy\nExecStartPre=x"}),
    ],
)
def test_what_would_be_a_line_more_for_certbot_is_refused(name, value):
    problems = declaration.problems([], **{**GOOD, name: value})
    assert any(f"`{name}`" in problem and "line break" in problem for problem in problems), problems
    assert declaration.problems([], **GOOD) == []


def test_a_certificates_profile_that_would_be_a_line_more_is_refused():
    item = {"name": "shop", "domains": ["shop.example.com"], "profile": "x\npre_hook = y"}
    (problem,) = declaration.problems([item], **GOOD)
    assert problem.startswith("certificate shop: `profile` has a line break")


@pytest.mark.parametrize("value", BREAKS)
def test_a_comment_that_would_be_a_rule_more_is_refused(value):
    """ufw and the Docker guard write it into files that iptables-restore reads."""
    for declare in (declared.declare, declared.declare_published):
        with pytest.raises(declared.RuleError, match="control character"):
            declare([{"port": "80", "comment": value}])
