"""Misspelt variables: argument_specs accept them silently, so that the default applies without a word."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

# How alike two names must be (difflib ratio, 0 to 1) before the one counts as the other misspelt. Other people's roles
# share our prefixes (docker_users, nginx_user), so a name that resembles none of ours is none of our business.
ALIKE = 0.85

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


def misspelt(
    names: Iterable[str], options: Collection[str], prefix: str, other_prefixes: Collection[str] = ()
) -> list[str]:
    """One sentence for each variable that looks like one of the options but isn't.

    Args:
        names: the variables that are set for the host.
        options: the variables that exist.
        prefix: what the names begin with, `nginx_` for instance.
        other_prefixes: longer prefixes that belong to somebody else (`docker_app_` where the prefix is `docker_`).
    """
    found = []
    for name in sorted(set(names) - set(options)):
        if not name.startswith(prefix) or name.startswith(tuple(other_prefixes)):
            continue
        near = difflib.get_close_matches(name, list(options), n=1, cutoff=ALIKE)
        if near:
            found.append(f"`{name}` is no variable of this role: did you mean `{near[0]}`?")
    return found


def unknown(names: Iterable[str], options: Collection[str], prefix: str) -> list[str]:
    """One sentence for each variable with the prefix that doesn't exist; the prefix is ours alone."""
    found = []
    for name in sorted(set(names) - set(options)):
        if not name.startswith(prefix):
            continue
        near = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
        hint = (
            f"did you mean `{near[0]}`?"
            if near
            else f"there are {', '.join(f'`{option}`' for option in sorted(options))}."
        )
        found.append(f"`{name}` is no variable of Portside: {hint}")
    return found
