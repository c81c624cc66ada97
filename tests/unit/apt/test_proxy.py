"""apt's file of outbound proxies."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.apt import packages, proxy
from ansible_collections.portside.vps.plugins.module_utils.command import run

PLAIN = 'Acquire::http::Proxy "http://proxy:3128";\n'
SECRET = 'Acquire::http::Proxy "http://me:hunter2@proxy:3128";\n'


@pytest.mark.parametrize(
    ("there", "wanted", "changes"),
    [
        (None, None, False),
        (None, "", False),
        (None, PLAIN, True),
        (PLAIN, PLAIN, False),
        (PLAIN, SECRET, True),
        (PLAIN, "", True),
        (PLAIN, None, False),
    ],
)
def test_the_file_becomes_what_is_wanted_once(tmp_path, there, wanted, changes):
    path = tmp_path / "95portside-proxy"
    if there is not None:
        path.write_text(there)
        path.chmod(0o644)
    found = proxy.change(wanted, path)
    assert (found is not None) is changes
    proxy.apply(found, path)
    assert proxy.change(wanted, path) is None
    expected = there if wanted is None else wanted
    assert (path.read_text() if path.exists() else "") == (expected or "")


def test_a_password_is_for_root_alone_and_in_no_diff(tmp_path):
    path = tmp_path / "95portside-proxy"
    change = proxy.change(SECRET, path)
    proxy.apply(change, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in str(change.diff())
    assert "hunter2" in proxy.passwords(SECRET)


@pytest.mark.parametrize("login", ['u:hunter2"w', "u:hunter2#w", "u:w/hunter2", "u:w@hunter2", "hunter2"])
def test_a_password_that_is_not_percent_encoded_is_one_all_the_same(login):
    text = f'Acquire::http::Proxy "http://{login}@proxy:3128";\nAcquire::http::Proxy::a.example.com "DIRECT";\n'
    change = proxy.change(text, proxy.Path("/nonexistent"))
    assert change.mode == 0o600
    assert "hunter2" not in str(change.diff())
    assert login in proxy.passwords(text)
    assert '"http://***@proxy:3128";\n' in change.diff()["after"]
    assert 'a.example.com "DIRECT"' in change.diff()["after"]


def test_a_file_that_others_may_read_the_password_in_is_shut(tmp_path):
    path = tmp_path / "95portside-proxy"
    path.write_text(SECRET)
    path.chmod(0o644)
    proxy.apply(proxy.change(SECRET, path), path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_apt_inherits_no_proxy_from_the_session_that_starts_it(monkeypatch):
    names = [
        name for lower in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (lower, lower.upper())
    ]
    for name in names:
        monkeypatch.setenv(name, "http://u:hunter2@session:3128")
    done = run(["env"], env=packages.ENVIRONMENT)
    assert "hunter2" not in done.stdout
    assert "DEBIAN_FRONTEND=noninteractive" in done.stdout
