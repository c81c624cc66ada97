"""Texts that YAML changed are refused with what stands in the file, what YAML made of it, and what to write."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.template import Templar, trust_as_template
from ansible_collections.portside.vps.plugins.filter import apps, roles
from ansible_collections.portside.vps.plugins.module_utils.inventory import texts, written

ROLES = ["ufw", "docker", "nginx", "docker_app", "certbot"]


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """What is said of variables that stand in a file."""
    monkeypatch.chdir(tmp_path)

    def of(text):
        (tmp_path / "vps.yml").write_text(text, encoding="utf-8")
        return apps.inventory_problems(DataLoader().load_from_file(str(tmp_path / "vps.yml")), ROLES)

    return of


def app(line):
    head = ["portside_apps:\n  - name: shop", "image: acme/shop:1", "port: 8000", "domains: [a.example.com]", line]
    return "\n    ".join(head) + "\n"


CHANGED = [
    ("env: {V: 24.10}", '`env.V: 24.10` is read by YAML as the number 24.1: write it in quotes, `V: "24.10"`'),
    ("env: {PIN: 0123}", '`env.PIN: 0123` is read by YAML as the number 83: write it in quotes, `PIN: "0123"`'),
    ("env: {OPENS: 12:30}", '`env.OPENS: 12:30` is read by YAML as the number 750: write it in quotes, `OPENS: "'),
    ("env: {N: 1_000}", '`env.N: 1_000` is read by YAML as the number 1000: write it in quotes, `N: "1_000"`'),
    ("env: {N: 0x1F}", '`env.N: 0x1F` is read by YAML as the number 31'),
    ("env: {N: +49}", '`env.N: +49` is read by YAML as the number 49'),
    ("env: {N: 1.0e+3}", '`env.N: 1.0e+3` is read by YAML as the number 1000.0'),
    ("env: {N: .inf}", '`env.N: .inf` is read by YAML as the number inf'),
    ("env: {N: .NaN}", '`env.N: .NaN` is read by YAML as the number nan'),
    ("env: {N: 1:30.50}", '`env.N: 1:30.50` is read by YAML as the number 90.5'),
    ("env: {DEBUG: false}", '`env.DEBUG: false` is read by YAML as the truth value false: write it in quotes'),
    ("env: {ON: yes}", "`env`: the name `ON` is read by YAML as the truth value true"),
    ("env: {A: x, 'B': No}", '`env.B: No` is read by YAML as the truth value false: write it in quotes, `B: "No"`'),
    ("env: {D: 2024-01-02}", '`env.D: 2024-01-02` is read by YAML as the date 2024-01-02'),
    ("env: {D: 2024-01-02 10:20:30}", '`env.D: 2024-01-02 10:20:30` is read by YAML as the date 2024-01-02 10:20:30'),
    ("env: {E: ~}", '`env.E: ~` is read by YAML as no value at all: write it in quotes, `E: "~"`'),
    ("env: {E: null}", '`env.E: null` is read by YAML as no value at all: write it in quotes, `E: "null"`'),
    ("env: {E: }", '`env.E` is read by YAML as no value at all: write what you mean in quotes, `E: ""` for instance'),
    ("env: {NO: 1}", '`env`: the name `NO` is read by YAML as the truth value false: write it in quotes, `"NO": ...`'),
    ("env: {A: 1, 0123: 1}", "`env`: the name `0123` is read by YAML as the number 83"),
    ("env: {V: &v 24.10}", '`env.V: 24.10` is read by YAML as the number 24.1'),
    ("user: 33:33", '`user: 33:33` is read by YAML as the number 2013: write it in quotes, `user: "33:33"`'),
    ("restart: no", '`restart: no` is read by YAML as the truth value false: write it in quotes, `restart: "no"`'),
    ("labels: {version: 1.10}", '`labels.version: 1.10` is read by YAML as the number 1.1'),
    ("ulimits: {nofile: 1024:59}", '`ulimits.nofile: 1024:59` is read by YAML as the number 61499'),
    ("log: {options: {tag: 1.10}}", "`log.options.tag` stands there without quotes"),
    ("site: {headers: {X-Version: 1.10}}", '`site.headers.X-Version: 1.10` is read by YAML as the number 1.1'),
    ("volumes: [22:22]", '`volumes` item `1` `22:22` is read by YAML as the number 1342'),
    ("command: [sleep, 1.50]", '`command` item `2` `1.50` is read by YAML as the number 1.5'),
    ("command: [echo, yes]", "`command` item `2` is read by YAML as the truth value true: write what you mean"),
    ("image_archive: 1.10", '`image_archive: 1.10` is read by YAML as the number 1.1'),
    ("extra_hosts: {db: 10:10:10}", '`extra_hosts.db: 10:10:10` is read by YAML as the number 36610'),
    ("health: {path: no}", '`health.path: no` is read by YAML as the truth value false'),
    ("webhooks: [{path: /x, read_timeout: 1:30}]", "`webhooks` item `1.read_timeout: 1:30` is read by YAML as"),
    ("host_ports: [0123, 8001]", "`host_ports` item `1: 0123` is read by YAML as the number 83 (base 8)"),
    ("stop_timeout: 1:30", "`stop_timeout: 1:30` is read by YAML as the number 90 (base 60): write it without a colon"),
    ("stop_timeout: 030", "`stop_timeout: 030` is read by YAML as the number 24 (base 8): write it without"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words"), CHANGED, ids=[line for line, _ in CHANGED])
def test_a_text_that_yaml_changed_is_refused_with_both_readings(problems, line, words):
    found = problems(app(line))
    assert found[0].startswith(f"app `shop`: {words}"), found


def test_the_message_names_file_and_line(problems):
    (found,) = problems(app("env: {V: 24.10}"))
    assert found.endswith("(vps.yml, line 6)")
    (found,) = problems(app("env:\n      A: text\n      DEBUG: off  # for now"))
    assert found.endswith('write it in quotes, `DEBUG: "off"` (vps.yml, line 8)')


UNCHANGED = [
    'env: {V: "24.10", PIN: "0123", OPENS: "12:30", D: "no"}',
    "env: {WORKERS: 4, OFFSET: -1, RATIO: 0.5, ZERO: 0, BIG: 123456789012345678901234567890}",
    "env: {A: 1e3, B: 0o14, C: 089, D: 1.2.3, E: '', F: 12:99, G: 80:80}",
    "env: {TZ: Europe/Berlin, A: 1.2.3.4, B: 1:2:3x}",
    'user: "33:33"',
    "user: 1000",
    'restart: "no"',
    "labels: {major: 1, minor: 0.5}",
    "ulimits: {nofile: 65536}",
    "stop_timeout: 1_0",
    "cpus: 0.50",
    "init: no",
    "drain: 0",
    'env: {BASE: &b "1.10", SAME: *b}',
    "site: {max_body_size: 0, redirect_to_canonical: off}",
]  # fmt: skip


@pytest.mark.parametrize("line", UNCHANGED)
def test_what_says_what_it_means_is_taken(problems, line):
    assert problems(app(line)) == []


SECRETS = [
    "secrets: {PIN: 01234567}",
    "site: {basic_auth: {users: {ops: 01234567}}}",
    "site: {basic_auth: {users: {ops: 12.3450}}}",
]


@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_that_yaml_changed_is_refused_and_quoted_nowhere(problems, line):
    (found,) = problems(app(line))
    assert "stands there without quotes, and YAML makes something else of it: write it in quotes (vps.yml" in found
    assert not any(text in found for text in ("1234567", "342391", "12.345"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("portside_acme_email: no", "`portside_acme_email: no` is read by YAML as the truth value false"),
        ("portside_firewall_rules: [{port: 22:22}]", "`portside_firewall_rules` item `1.port: 22:22` is read"),
        ("portside_backup_password: 0123456701234567", "`portside_backup_password` stands there without quotes"),
        ("portside_egress: {http_proxy: 10:10}", "`portside_egress.http_proxy` stands there without quotes"),
        ("portside_egress: {no_proxy: [1.10]}", "`portside_egress.no_proxy` item `1` `1.10` is read by YAML as"),
        ("portside_diagnose_secrets: {shop: 0123}", "`portside_diagnose_secrets.shop` stands there without quotes"),
        ("nginx_worker_shutdown_timeout: 1:30", "`nginx_worker_shutdown_timeout: 1:30` is read by"),
        ("docker_app_registries: [{registry: a.b, username: 007}]", "`docker_app_registries` item `1.username: 007`"),
    ],
)  # fmt: skip
def test_settings_and_variables_of_roles_are_looked_at_too(problems, line, words):
    assert words in "\n".join(problems(f"{line}\n"))


def test_dockers_own_options_are_json_and_no_texts(problems):
    assert problems("docker_daemon_options: {live-restore: false, max-concurrent-downloads: 010}\n") == []


def test_in_an_encrypted_file_no_number_passes_for_a_text(tmp_path):
    vault = VaultLib([("default", VaultSecret(b"secret"))])
    path = tmp_path / "vault.yml"
    path.write_bytes(vault.encrypt(app("env: {PIN: 0123, WORKERS: '4'}").encode()))
    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(b"secret"))])
    (found,) = texts.problems(loader.load_from_file(str(path)), texts.site_spec(ROLES))
    assert "`env.PIN` is read by YAML as the number 83: write what you mean in quotes" in found
    assert "vault.yml, line 6" in found


def test_whole_numbers_of_json_and_templates_are_taken_fractions_not():
    declared = [{"name": "shop", "image": "acme/shop:1", "env": {"N": 4, "V": 24.1}}]
    declared[0]["env"]["T"] = Templar(DataLoader()).template(trust_as_template("{{ 2 + 2 }}"))
    (found,) = texts.problems({"portside_apps": declared}, texts.site_spec([]))
    assert found.startswith(
        'app `shop`: `env.V` is read by YAML as the number 24.1: write what you mean in quotes, `V: "24.1"'
    )


def test_a_role_alone_refuses_them_as_well(tmp_path):
    path = tmp_path / "play.yml"
    path.write_text("docker_app_list: [{name: shop, image: 'a:1', user: 33:33}]\n", encoding="utf-8")
    (found,) = roles.changed_texts(DataLoader().load_from_file(str(path)), "docker_app")
    assert found.startswith("app `shop`: `user: 33:33` is read by YAML as the number 2013")


def test_where_ansible_remembers_no_place_whole_numbers_alone_are_taken(problems, monkeypatch):
    monkeypatch.setattr(written, "Origin", None)
    assert problems(app("env: {WORKERS: 4}")) == []
    (found,) = problems(app("env: {RATIO: 0.5}"))
    assert found.endswith('the number 0.5: write what you mean in quotes, `RATIO: "0.5"` for instance')
    (found,) = problems(app("restart: no"))
    assert "`restart` is read by YAML as the truth value false: write what you mean in quotes" in found
