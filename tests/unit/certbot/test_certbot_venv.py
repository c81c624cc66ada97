"""certbot from PyPI: how pip is told where packages come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import venv
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed

INDEX = "https://bot:token-of-index@pypi.example.com/simple"


def test_the_login_of_an_index_is_in_no_process_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Sequence[str], Mapping[str, str]]] = []

    def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None, **_: object) -> Completed:
        seen.append((argv, env or {}))
        if argv[:3] == ["python3", "-m", "venv"]:
            Path(argv[3]).mkdir()
        return Completed(tuple(argv), 0, "", "")

    monkeypatch.setattr(venv, "run", run)
    wanted = venv.Environment("certbot==5.5.0", "3.11", INDEX, root=tmp_path)
    wanted.build({"HTTPS_PROXY": ""})
    assert not [argv for argv, _ in seen if "token-of-index" in " ".join(argv)]
    (environment,) = [env for argv, env in seen if "pip" in argv]
    assert environment == {"HTTPS_PROXY": "", "PIP_INDEX_URL": INDEX}
    assert (wanted.folder / "requirements.txt").stat().st_mode & 0o777 == 0o600


def test_what_pip_says_of_an_index_is_told_without_its_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Sequence[str], **_: object) -> Completed:
        raise CommandError(f"`pip` exited with status 1: Looking in indexes: {INDEX}")

    monkeypatch.setattr(venv, "run", run)
    with pytest.raises(CommandError, match=r"pypi\.example\.com") as raised:
        venv.Environment("certbot==5.5.0", "3.11", INDEX, root=tmp_path).build({})
    assert "token-of-index" not in str(raised.value)


def test_wheels_on_the_server_need_no_index() -> None:
    wanted = venv.Environment("certbot==5.5.0", "3.11", INDEX, wheels="/srv/wheels")
    assert wanted.pip_environment == {}
    assert "--no-index" in wanted.pip_argv(Path("requirements.txt"))
