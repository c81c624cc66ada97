"""What a page looks like to a person, measured in a real browser: Chromium, without a window."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

from lab.machine import ensure_programs

DESKTOP, PHONE = 1280, 390
LIMIT = 120
# Runs in the page. Contrast as WCAG 2.2 reckons it (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
MEASURE = """
<script>
const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b;
};
const back = e => {
  for (; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "rgb(255, 255, 255)";
};
const contrast = e => {
  const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
};
const shown = e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && box.left >= 0 && box.right <= innerWidth;
};
const words = e => e.textContent.trim().slice(0, 60);
const texts = [...document.body.querySelectorAll(":not(script)")]
  .filter(e => [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()));
parent.measured.push({
  width: innerWidth,
  needed: document.documentElement.scrollWidth,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  back: light(back(document.body)),
  titles: [...document.querySelectorAll("ol.path li .title")].filter(shown).map(words),
  narrow: [...document.querySelectorAll(".seen")].filter(e => e.clientWidth < 200).map(words),
  outside: texts.filter(e => !e.closest(".scroll") && !shown(e)).map(words),
  faint: texts.filter(e => contrast(e) < 4.5).map(words),
});
parent.document.title = JSON.stringify(parent.measured);
</script>
"""


def measure(page: str, folder: Path, *, dark: bool) -> dict[int, dict[str, Any]]:
    """What is seen of a page at the width of a desk's screen and of a phone's, by width in pixels.

    `needed` is the width that it takes, `back` how light its ground is (0 to 1), `titles` are the hops in sight,
    `narrow` what is seen of a hop where it has no room, `outside` texts out of sight, `faint` those that are hard to
    read on their ground.

    Args:
        page: the HTML.
        folder: for the browser's files.
        dark: whether the person prefers dark pages.
    """
    ensure_programs({"chromium": "chromium"})
    frames = "".join(
        f'<iframe width="{width}" height="900" style="border: 0" srcdoc="{escape(page + MEASURE)}"></iframe>'
        for width in (DESKTOP, PHONE)
    )
    file = folder / "frames.html"
    file.write_text(f"<!doctype html><script>measured = []</script>{frames}", encoding="utf-8")
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    argv = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*argv, *scheme, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    title = re.search("<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr
    return {one["width"]: one for one in json.loads(unescape(title[1]))}
