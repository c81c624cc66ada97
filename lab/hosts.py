"""The VPS: a container that boots systemd and runs Docker, a firewall and everything else for real."""

from lab.containers import Container, File
from lab.identity import LABEL_RELEASE

# The account a provider's image has besides root, with sudo; a number that no image has given away already.
DEPLOY_UID = 5000


def vps(*, host: str, number: int, image: str, release: str, dns: str, public_key: bytes) -> Container:
    """A bare server. `dns` is the address of the resolver it asks, `public_key` opens root and the account `deploy`."""
    return Container(
        host=host,
        number=number,
        image=image,
        labels={LABEL_RELEASE: release},
        # overlayfs can't lie on overlayfs: the server's own Docker gets a volume, removed with the container.
        settings={"environment": {"container": "docker", "LAB_DNS": dns}, "volumes": ["/var/lib/docker"]},
        host_config={
            # --privileged wants CAP_SYS_RESOURCE, which some machines don't have to give.
            "cap_add": ["ALL"],
            "cap_drop": ["SYS_RESOURCE"],
            "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
            "cgroupns": "private",
            "tmpfs": {"/run": "", "/run/lock": ""},
            "dns": [dns],
        },
        # What docker(1) calls --security-opt systempaths=unconfined: /proc/sys is the server's own.
        raw_host_config={"MaskedPaths": [], "ReadonlyPaths": []},
        files=(
            File("/root/.ssh/authorized_keys", public_key, 0o600),
            File("/home/deploy/.ssh/authorized_keys", public_key, 0o600, DEPLOY_UID),
        ),
    )
