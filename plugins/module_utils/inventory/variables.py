"""Misspelt variables: argument_specs accept them silently, so that the default applies without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

# How many letters may differ before a name is another one; of a short one (`port`, `abort`) one alone. Other people's
# roles share our prefixes (docker_users, nginx_http2): even one so near may be theirs, and is no more than a warning.
LETTERS = 2
SHORT = 8

# Variables of the roles' that the playbooks fill or pass by, and what to do in their place: whoever sets one would go
# unheard.
_PROXY = "say it in `portside_egress.{}`".format
_APPS = "it is made from `portside_apps`: say it there"
_PACKAGES = "packages are installed for all roles at once: leave it out"
_ACME_FILES = "the web server and certbot share /var/www/acme: leave it out"
_TLS = "the web server looks for certificates in /etc/nginx/tls: leave it out"
_TOLD = "the web server is nginx, checked and reloaded by its own commands: leave it out"
FILLED = {
    "certbot_ca_file": "set `portside_acme_ca_file`",
    "certbot_certificates": "it is made from `portside_apps`, where an app's `certificate` takes the same options",
    "certbot_check_command": _TOLD,
    "certbot_directory": "set `portside_acme_directory`",
    "certbot_email": "set `portside_acme_email`",
    "certbot_environment": _PROXY("certbot"),
    "certbot_link_dir": _TLS,
    "certbot_manage_packages": _PACKAGES,
    "certbot_reload_command": _TOLD,
    "certbot_webroot": _ACME_FILES,
    "docker_app_abort": "run playbooks/abort.yml",
    "docker_app_by": "set `portside_by`",
    "docker_app_check_command": _TOLD,
    "docker_app_forget": "run playbooks/forget.yml",
    "docker_app_list": _APPS,
    "docker_app_manage_packages": _PACKAGES,
    "docker_app_only": "run playbooks/deploy.yml with `-e app=<name>`",
    "docker_app_promote": "run playbooks/promote.yml",
    "docker_app_reload_command": _TOLD,
    "docker_app_retry": "set `portside_retry`",
    "docker_app_rollback": "run playbooks/rollback.yml",
    "docker_app_rollback_release": "run playbooks/rollback.yml",
    "docker_download_environment": _PROXY("downloads"),
    "docker_environment": _PROXY("docker"),
    "docker_manage_packages": _PACKAGES,
    "nginx_acme_webroot": _ACME_FILES,
    "nginx_manage_packages": _PACKAGES,
    "nginx_sites": "it is made from `portside_apps`, where an app's `site` takes the same options",
    "nginx_tls_dir": _TLS,
    "ufw_docker_egress": "it is made from `egress` of the apps in `portside_apps`: say it there",
    "ufw_manage_packages": _PACKAGES,
    "ufw_rules": "set `portside_firewall_rules`",
}


def ignored(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """One sentence for each variable that is set although the playbooks fill it, so that it would go unheard.

    Args:
        settings: the host's variables. Roles that a playbook imports show their defaults there, too.
        defaults: of all roles, by variable.
    """
    return [
        f"`{name}` is for the role alone; here {instead}"
        for name, instead in FILLED.items()
        if settings.get(name) not in (None, "", [], {}, defaults.get(name))
    ]


def distance(one: str, other: str) -> int:
    """How many letters to add, leave out, change or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for down, letter in enumerate(one, 1):
        before, above, row = row, before, [down]
        for across, its in enumerate(other, 1):
            cost = min(before[across] + 1, row[across - 1] + 1, before[across - 1] + (letter != its))
            if down > 1 and across > 1 and letter == other[across - 2] and one[down - 2] == its:
                cost = min(cost, above[across - 2] + 1)
            row.append(cost)
    return row[-1]


def nearest(name: str, options: Iterable[str], prefix: str) -> str | None:
    """The option of which the name differs by one letter or two; None if there is none.

    Args:
        name: a variable.
        options: those that exist.
        prefix: what all of them begin with, which says nothing of how alike two are.
    """
    letters = LETTERS if len(name) - len(prefix) >= SHORT else 1
    near = [(distance(name, option), option) for option in options if abs(len(name) - len(option)) <= letters]
    least = min(near, default=(letters + 1, ""))
    return least[1] if least[0] <= letters else None


def misspelt(
    names: Iterable[str], options: Collection[str], prefix: str, other_prefixes: Collection[str] = ()
) -> list[str]:
    """One sentence for each variable that differs from one of the options by a letter or two: it may be that option
    misspelt, or a variable of somebody else's.

    Args:
        names: the variables that are set for the host.
        options: the variables that exist.
        prefix: what the names begin with, `nginx_` for instance.
        other_prefixes: longer prefixes that belong to somebody else (`docker_app_` where the prefix is `docker_`).
    """
    ours = [
        name
        for name in sorted(set(names) - set(options))
        if name.startswith(prefix) and not name.startswith(tuple(other_prefixes))
    ]
    return [
        f"`{name}` is no variable of this role: did you mean `{near}`? If it is another role's, all is well"
        for name in ours
        if (near := nearest(name, options, prefix))
    ]


def unknown(names: Iterable[str], options: Collection[str]) -> tuple[list[str], list[str]]:
    """What to say of variables that begin with `portside_` and don't exist: what is refused, and what is warned of.

    The prefix is ours alone, so that one that differs from a setting by a letter or two is that setting misspelt.
    Another may be the user's own, and is told that Portside reads it nowhere.
    """
    wrong, doubtful = [], []
    for name in sorted(set(names) - set(options)):
        if name.startswith("portside_"):
            near = nearest(name, options, "portside_")
            said = f"`{name}` is no variable of Portside"
            wrong += [f"{said}: did you mean `{near}`?"] if near else []
            doubtful += (
                [] if near else [f"{said}, which reads it nowhere; docs/variables.md lists those that there are"]
            )
    return wrong, doubtful
