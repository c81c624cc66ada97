"""Filters of the role nginx: its sites, checked and completed, and the other parts of the module's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.nginx import headers, protocols, values
from ansible_collections.portside.vps.plugins.module_utils.nginx import sites as nginx_sites

DOCUMENTATION = r"""
name: nginx_problems
short_description: what is wrong with the input of the role nginx
description: Checks what an argument spec can't, and names the site, the key, and what is allowed.
positional: settings
options:
  _input: {description: The value of C(nginx_sites)., type: list, elements: dict, required: true}
  settings: {description: Other options of the role by their names., type: dict, required: true}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The sites can be served
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('; ') }}"
  vars:
    settings: {nginx_tls_dir: /etc/nginx/tls, nginx_acme_webroot: /var/www/acme, nginx_worker_shutdown_timeout: 120s}
    problems: "{{ nginx_sites | portside.vps.nginx_problems(settings) }}"
"""

RETURN = r"""
_value: {description: A sentence for each problem., type: list, elements: str}
"""


def nginx_present_sites(sites: Any) -> list[nginx_sites.Site]:
    """The sites that are to be there, with every default filled in."""
    return nginx_sites.completed(values.plain(sites))


def nginx_problems(sites: Any, settings: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that is wrong with the role's input."""
    return nginx_sites.problems(values.plain(sites), values.plain(settings))


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "nginx_certificates": nginx_sites.certificates,
            "nginx_grpc_headers": protocols.grpc_headers,
            "nginx_largest_header": protocols.largest_header,
            "nginx_names_loopback": values.names_loopback,
            "nginx_password_files": nginx_sites.password_files,
            "nginx_present_sites": nginx_present_sites,
            "nginx_problems": nginx_problems,
            "nginx_quoted": values.quoted,
            "nginx_trusted_headers": headers.trusted_headers,
            "nginx_underscored": protocols.underscored,
            "nginx_upstream_files": nginx_sites.upstream_files,
        }
