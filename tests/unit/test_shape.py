"""How what a user wrote is read by a table of options, and in which words a mistake is named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.shape import Spec, argument_spec, shape

SPEC: Spec = {
    "status": {"type": "int", "choices": [301, 302], "default": 301, "description": "Status."},
    "tags": {"type": "list", "elements": "str", "default": [], "description": "Tags."},
    "line": {"type": "list", "elements": "str", "words": True, "default": [], "description": "A command."},
    "port": {"type": "int", "address": True, "description": "Port."},
    "hooks": {
        "type": "list",
        "elements": "dict",
        "options": {"path": {"type": "str", "required": True, "description": "Where."}},
        "default": [],
        "example": "[{path: /x}]",
        "description": "Hooks.",
    },
    "keys": {"type": "dict", "no_log": True, "default": {}, "example": "{NAME: value}", "description": "Keys."},
}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"status": 303}, "app `a`: `status: 303`: allowed are 301, 302"),
        ({"status": "x"}, "app `a`: `status: x`: allowed are 301, 302"),
        ({"tags": "x"}, "app `a`: `tags: x` is not a list"),
        ({"tags": [["x"]]}, "app `a`: `tags` item `1` is not text (put it in quotes)"),
        ({"line": "a 'b"}, "app `a`: `line: a 'b`: No closing quotation"),
        (
            {"hooks": ["/x"]},
            "app `a`: `hooks` item `1: /x` is not a dictionary of names and values: write `hooks: [{path: /x}]`",
        ),
        ({"hooks": [{}]}, "app `a`: `hooks` item `1`: `path` is missing: Where."),
        ({"keys": "hunter2"}, "app `a`: `keys` is not a dictionary of names and values: write `keys: {NAME: value}`"),
        ({"port": "127.0.0.1:80"}, "app `a`: `port: 127.0.0.1:80` is an address, not a port"),
        ({"tagz": []}, "app `a`: unknown key `tagz`: did you mean `tags`?"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_expected(written: dict[str, Any], message: str) -> None:
    _, problems = shape(written, SPEC, "app `a`")
    assert [problem[: len(message)] for problem in problems] == [message]


def test_values_are_read_and_defaults_filled_in() -> None:
    found, problems = shape({"status": "302", "line": "a 'b c'", "keys": None}, SPEC, "x")
    assert problems == []
    assert found == {"status": 302, "tags": [], "line": ["a", "b c"], "port": None, "hooks": [], "keys": {}}


def test_what_is_returned_can_be_changed_without_changing_the_table() -> None:
    found, _ = shape({}, SPEC, "x")
    found["tags"].append("mine")
    assert shape({}, SPEC, "x")[0]["tags"] == []


def test_ansible_gets_no_word_of_its_own_unknown_to_it() -> None:
    known = {"type", "elements", "required", "choices", "no_log", "default", "options", "apply_defaults"}
    for field in argument_spec(SPEC).values():
        assert set(field) <= known
    assert argument_spec(SPEC)["line"]["type"] == "raw"
