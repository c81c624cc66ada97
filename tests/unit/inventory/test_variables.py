"""Variables of other people's roles, and misspelt ones of ours."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.filter import apps as filters
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles, variables

from tests.unit.inventory.playbook_runs import UNREACHABLE, run

ROLES = roles.names()
# Of public roles and inventories.
OTHERS = [
    "certbot_admin_email",
    "certbot_create_command",
    "certbot_create_if_missing",
    "docker_app_port",
    "docker_compose_version",
    "docker_edition",
    "docker_repository",
    "docker_users",
    "nginx_remove_default_vhost",
    "nginx_user",
    "nginx_vhosts",
    "ufw_default_forward_policy",
    "ufw_packages",
]


@pytest.mark.parametrize(
    ("one", "other", "letters"),
    [
        ("same", "same", 0),
        ("sites", "site", 1),
        ("site", "sites", 1),
        ("daemon", "deamon", 1),
        ("http2", "http3", 1),
        ("sites", "sties", 1),
        ("ca", "abc", 3),
        ("", "abc", 3),
    ],
)
def test_how_many_letters_differ(one, other, letters):
    assert variables.distance(one, other) == letters


def test_variables_of_other_roles_are_not_spoken_of():
    assert filters.inventory_doubts(OTHERS, ROLES) == []
    assert filters.inventory_problems(dict.fromkeys(OTHERS, "x"), ROLES, OTHERS) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("nginx_site", "nginx_sites"),
        ("nginx_http2", "nginx_http3"),
        ("docker_deamon_options", "docker_daemon_options"),
        ("docker_app_lst", "docker_app_list"),
        ("certbot_profil", "certbot_profile"),
    ],
)
def test_what_differs_by_a_letter_or_two_is_a_warning_and_no_more(name, near):
    (doubt,) = filters.inventory_doubts([name], ROLES)
    assert doubt.startswith(f"`{name}` is no variable of this role: did you mean `{near}`?")
    assert filters.inventory_problems({name: "x"}, ROLES, [name]) == []


def test_a_setting_of_portside_that_is_misspelt_is_refused():
    assert filters.inventory_problems({}, [], ["portside_acme_mail"]) == [
        "`portside_acme_mail` is no variable of Portside: did you mean `portside_acme_email`?"
    ]


def test_a_variable_of_the_users_own_below_our_prefix_is_a_warning():
    (doubt,) = filters.inventory_doubts(["portside_image_tag"], [])
    assert doubt.startswith("`portside_image_tag` is no variable of Portside, which reads it nowhere")
    assert filters.inventory_problems({}, [], ["portside_image_tag"]) == []


def test_a_run_looks_into_nobody_elses_variables(tmp_path):
    theirs = 'docker_repo: "deb {{ ansible_distribution_release }}"\nnginx_http2: true\ndocker_app_port: 8000\n'
    done = run(tmp_path, "site.yml", variables=theirs)
    assert done.status == UNREACHABLE, done.output
    assert "`nginx_http2` is no variable of this role: did you mean `nginx_http3`?" in done.output
    assert "`docker_" not in done.output


def test_a_run_refuses_a_changed_text_before_it_asks_the_host(tmp_path):
    app = "portside_apps: [{name: shop, image: 'acme/shop:1', user: 33:33}]\n"
    done = run(tmp_path, "site.yml", variables=app)
    assert done.status == 2, done.output
    assert "app `shop`: `user: 33:33` is read by YAML as the number 2013: write it in quotes" in done.output
    assert "group_vars/vps/main.yml, line 1)" in done.output
