"""What playbooks/status.yml says of a healthy server, and of one that somebody changed by hand."""

from __future__ import annotations

import json
from pathlib import Path

SITES = "/etc/nginx/sites-enabled"

# What is done by hand, and what is listed for it: the kind, and a part of its line.
DRIFTS = {
    "a package removed": ("apt-get -qq -y remove logrotate", "package", "logrotate is not installed"),
    "apt's file of proxies": (
        "echo '// x' >> /etc/apt/apt.conf.d/95portside-proxy",
        "file",
        "95portside-proxy is changed",
    ),
    "a rule removed": ("ufw delete allow 443/tcp", "rule", "allow 443/tcp # https is missing"),
    "a rule added": ("ufw allow 9999/tcp", "rule", "allow 9999/tcp is not declared"),
    "no logging": ("ufw logging off", "rule", "logging is off, declared low"),
    "an option of Docker": (
        """sed -i '0,/{/s/{/{ "debug": true,/' /etc/docker/daemon.json""",
        "file",
        "/etc/docker/daemon.json is changed",
    ),
    "Docker not at boot": ("systemctl disable docker.service", "service", "docker.service doesn't start at boot"),
    "a site": (
        f"echo '# x' >> {SITES}/portside-shop-api.conf",
        "file",
        "portside-shop-api.conf is changed: not declared `# x`",
    ),
    "a snippet gone": ("rm /etc/nginx/snippets/portside-local.conf", "file", "portside-local.conf is missing"),
    "a site too many": (
        f"cp {SITES}/portside-reports.conf {SITES}/portside-old.conf",
        "file",
        "portside-old.conf is not declared",
    ),
    "nginx not at boot": ("systemctl disable nginx.service", "service", "nginx.service is disabled"),
    "a container stopped": (
        "docker stop $(docker ps --quiet --filter label=portside.app=worker)",
        "container",
        "worker container worker-r",
    ),
    "a container removed": (
        "docker rm --force $(docker ps --quiet --filter label=portside.app=shop-api)",
        "container",
        "shop-api container shop-api-r",
    ),
    "nginx pointed elsewhere": (
        "sed -i s/127.0.0.1:[0-9]*/127.0.0.1:9/ /etc/nginx/upstreams/reports.conf",
        "container",
        "reports nginx is not pointed at the live release",
    ),
    "the timer off": ("systemctl disable --now certbot.timer", "timer", "certbot.timer is disabled, inactive"),
    "certbot's hook": (
        "echo '# x' >> /etc/letsencrypt/renewal-hooks/deploy/portside",
        "file",
        "/etc/letsencrypt/renewal-hooks/deploy/portside is changed: not declared `# x`",
    ),
    "a certificate's link": (
        "ln -sfn placeholder /etc/nginx/tls/reports",
        "certificate",
        "reports is to be /etc/nginx/tls/reports ->",
    ),
    "a container too many": (
        "docker run --detach --name ghost --label portside.app=ghost --label portside.release=1 --network none"
        " $(docker images --quiet | head -1) sleep 9999",
        "container",
        "ghost is not declared",
    ),
}


def status(play, folder: Path):
    file = folder / "status.json"
    done = play("status", "-e", f"report={file}")
    assert file.exists(), done.output
    (host,) = json.loads(file.read_text(encoding="utf-8"))["hosts"].values()
    return done, host


def test_a_healthy_server_is_as_declared_with_apps_days_disks_and_ports_on_one_screen(play, tmp_path, vps_name):
    done, host = status(play, tmp_path)
    assert done.status == 0, done.output
    assert host["drift"] == []
    assert f"PORTSIDE {vps_name}: as declared" in done.output
    assert "Nothing differs from the inventory." in done.output
    row = next(line for line in done.output.splitlines() if line.startswith("shop-api "))
    for part in ("webhook-app:1.0", "200 in ", "days left", "127.0.0.1:18"):
        assert part in row
    assert "443/tcp to anyone" in done.output
    assert done.calls_on(vps_name) <= 12, done.calls


def test_every_drift_made_by_hand_is_listed_and_nothing_else_and_the_next_run_mends_it(play, vps, tmp_path):
    for command, _, _ in DRIFTS.values():
        vps.run_expect([0], command)
    done, host = status(play, tmp_path)
    assert done.status == 2, done.output
    listed = [f"{one['kind']} {one['name']} {one['what']}" for one in host["drift"]]
    for what, (_, kind, words) in DRIFTS.items():
        mine = [line for line in listed if line.startswith(f"{kind} ") and words in line]
        assert len(mine) == 1, (what, listed)
    assert len(listed) == len(DRIFTS), listed
    assert f"{len(DRIFTS)} things differ" in done.output
    # What was left alone on purpose has to be taken away by hand.
    vps.run_expect([0], "docker rm --force ghost && ufw delete allow 9999/tcp")
    mended = play("site")
    assert mended.status == 0, mended.output
    done, host = status(play, tmp_path)
    assert (done.status, host["drift"]) == (0, []), done.output
