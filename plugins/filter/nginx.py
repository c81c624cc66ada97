"""Filters of the role nginx: its sites, checked and completed."""

from __future__ import annotations

from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.nginx import sites as nginx_sites

DOCUMENTATION = r"""
name: nginx_problems
short_description: what is wrong with the input of the role nginx
description: Checks what an argument spec can't, and names the site, the key, and what is allowed.
positional: tls_dir, webroot, worker_shutdown_timeout
options:
  _input: {description: The value of C(nginx_sites)., type: list, elements: dict, required: true}
  tls_dir: {description: The value of C(nginx_tls_dir)., type: path, required: true}
  webroot: {description: The value of C(nginx_acme_webroot)., type: path, required: true}
  worker_shutdown_timeout: {description: The value of C(nginx_worker_shutdown_timeout)., type: str, required: true}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The sites can be served
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('; ') }}"
  vars:
    problems: "{{ nginx_sites | portside.vps.nginx_problems('/etc/nginx/tls', '/var/www/acme', '120s') }}"
"""

RETURN = r"""
_value: {description: A sentence for each problem., type: list, elements: str}
"""


def nginx_present_sites(sites: Any) -> list[nginx_sites.Site]:
    """The sites that are to be there, with every default filled in."""
    return nginx_sites.completed(nginx_sites.plain(sites))


def nginx_problems(sites: Any, tls_dir: str, webroot: str, worker_shutdown_timeout: str) -> list[str]:
    """A sentence for each thing that is wrong with the role's input."""
    return nginx_sites.problems(nginx_sites.plain(sites), tls_dir, webroot, worker_shutdown_timeout)


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "nginx_certificates": nginx_sites.certificates,
            "nginx_present_sites": nginx_present_sites,
            "nginx_problems": nginx_problems,
            "nginx_upstream_files": nginx_sites.upstream_files,
        }
