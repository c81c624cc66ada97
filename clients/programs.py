"""The clients, each as the program that asks one URL and ends."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Seconds after which a client gives up; whether it got an answer does not matter.
GIVE_UP = 5

PYTHON: Mapping[str, str] = {
    "requests": "import requests\nrequests.get(url, timeout=5)",
    "urllib": "import urllib.request\nurllib.request.urlopen(url, timeout=5)",
    "httpx": "import httpx\nhttpx.get(url, timeout=5)",
    "aiohttp": """
        import aiohttp, asyncio
        async def ask():
            async with aiohttp.ClientSession() as session:
                await session.get(url)
        asyncio.run(ask())
    """,
    "aiohttp, `trust_env`": """
        import aiohttp, asyncio
        async def ask():
            async with aiohttp.ClientSession(trust_env=True) as session:
                await session.get(url)
        asyncio.run(ask())
    """,
    "stripe": """
        import stripe
        stripe.api_key, stripe.api_base, stripe.max_network_retries = "sk_test_nothing", url, 0
        stripe.Charge.list()
    """,
    "urllib3": "import urllib3\nurllib3.PoolManager(retries=False, timeout=5).request('GET', url)",
}
GO = """
package main

import ("net/http"; "os"; "time")

func main() {
    client := http.Client{Timeout: 5 * time.Second}
    client.Get(os.Args[1])
}
"""
NODE = "fetch(process.argv[1]).catch(() => {})"
# Packages from PyPI that the Python clients are.
PACKAGES = ("requests", "httpx", "aiohttp", "stripe", "urllib3")


def _python(interpreter: Path, code: str) -> Callable[[str], Sequence[str]]:
    program = f"import sys\nurl = sys.argv[1]\n{textwrap.dedent(code).strip()}"
    return lambda url: [str(interpreter), "-c", program, url]


def _apt(folder: Path) -> Callable[[str], Sequence[str]]:
    """`apt-get update` with a list of sources of its own, and nothing of what the machine says of apt."""

    def argv(url: str) -> Sequence[str]:
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(f"deb [trusted=yes] {url} stable main\n", encoding="utf-8")
        settings = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": folder / "lists",
            "APT::Sandbox::User": "root",
            "Acquire::Retries": 0,
        }
        return ["apt-get", "update", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]

    return argv


def clients(interpreter: Path, go: Path, folder: Path) -> dict[str, Callable[[str], Sequence[str]]]:
    """Each client's name and the argv with which it asks a URL.

    Args:
        interpreter: a Python that has PACKAGES.
        go: the program GO, compiled.
        folder: where apt keeps what it needs.
    """
    return {
        "curl": lambda url: ["curl", "--silent", "--max-time", str(GIVE_UP), url],
        "wget": lambda url: [
            "wget",
            "--quiet",
            "--tries=1",
            f"--timeout={GIVE_UP}",
            "--output-document=/dev/null",
            url,
        ],
        **{name: _python(interpreter, code) for name, code in PYTHON.items()},
        "Go": lambda url: [str(go), url],
        "Node `fetch`": lambda url: ["node", "--eval", NODE, url],
        "apt": _apt(folder),
    }
