# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The report in a real browser: telephone and desktop, light and dark, without a network.

Needs a Chromium (Debian's package ``chromium``); where there is none, these tests are skipped. A copy of the page holds
a probe that measures it and hands the numbers to the page around it, from which they are read.
"""

import html
import json
import re
import shutil
import subprocess

import pytest

from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.figures.maps import map_figure
from anemoi_ailand.evaluation.report.page import ReportFigure, write_report
from tests.support.results import VARIABLES, metrics, points

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"telephone": (360, 800), "desktop": (1400, 900)}
SCHEMES = {"dark": 0, "light": 1}

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the path")

#: Before anything else in the page: remember what goes wrong.
RECORDER = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message || event.target.src)), true);
addEventListener("securitypolicyviolation", (event) => faults.push("policy: " + event.blockedURI));
console.error = (...words) => faults.push(words.join(" "));
</script>"""

#: After everything else: measure, use the tables and the filters, and tell.
PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const channel = (v) => (v /= 255, v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  let contrast = [21, ""];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.closest("script, style, option, select")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < contrast[0]) contrast = [ratio, element.tagName + "." + element.className];
  }
  const table = document.querySelector("#table-A-rmse-all");
  const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[3].dataset.order));
  const button = table.tHead.rows[0].cells[3].querySelector("button");
  const before = column();
  button.click();
  const up = column(), state = table.tHead.rows[0].cells[3].getAttribute("aria-sort");
  button.click();
  const down = column();
  const card = document.querySelector("#skill table"), head = card.tHead.rows[1].cells[2];
  head.querySelector("button").click();
  const ratios = [...card.tBodies[0].rows].map((row) => Number(row.cells[2].dataset.order));
  const rows = () => [...document.querySelectorAll("tr[data-variable]")].filter((r) => !r.hidden);
  const select = document.querySelector("select[name=variable]");
  const all = rows().length;
  select.value = "stl1";
  select.dispatchEvent(new Event("change", { bubbles: true }));
  const shown = [...new Set(rows().map((row) => row.dataset.variable))];
  const few = rows().length;
  select.value = "";
  select.dispatchEvent(new Event("change", { bubbles: true }));
  parent.postMessage({
    width: innerWidth, faults, contrast, before, up, down, state, ratios, all, few, shown, restored: rows().length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    overflow: document.documentElement.scrollWidth - innerWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    images: [...document.images].map((image) => image.complete && image.naturalWidth),
    requests: performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith("data:")),
    filters: !document.getElementById("filters").hidden,
  }, "*");
}, 100));
</script>"""

#: Around the page: a frame of the wanted size, and the place where the numbers go.
AROUND = """<!DOCTYPE html><body><script>
const told = (event) => {{ document.getElementById("numbers").textContent = JSON.stringify(event.data); }};
addEventListener("message", told);
</script><pre id="numbers"></pre><iframe src="page.html" style="border:0;width:{}px;height:{}px"></iframe>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report with a map and a label of 60 letters, with recorder and probe in it."""
    folder = tmp_path_factory.mktemp("browser")
    path = save(map_figure(points(), points(seed=1), "emulator"), folder / "map.png")
    figure = ReportFigure("maps", path, "A map", "How to read it.", "swvl1")
    report = write_report(folder, metrics(("emulator", "a-rather-long-label-" * 3)), [figure])
    text = (
        report.read_text(encoding="utf-8").replace("<head>", "<head>" + RECORDER).replace("</body>", PROBE + "</body>")
    )
    (folder / "page.html").write_text(text, encoding="utf-8")
    return folder


def measure(folder, size, scheme):
    """Numbers of the probe, and what the browser logged."""
    (folder / "around.html").write_text(AROUND.format(*SIZES[size]), encoding="utf-8")
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            "--enable-logging=stderr", "--virtual-time-budget=10000", f"--user-data-dir={folder / 'profile'}",
            "--window-size=1500,1000", "--dump-dom", (folder / "around.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="numbers">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, f"The page did not answer: {done.stderr[-2000:]}"
    return json.loads(html.unescape(found[1])), done.stderr


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_page_in_a_browser(page, size, scheme):
    """The page has no errors, requests or overflow, sufficient contrast, and working tables and filters."""
    found, log = measure(page, size, scheme)
    assert found["width"] == SIZES[size][0]
    assert found["dark"] == (scheme == "dark")
    assert found["faults"] == []
    assert "CONSOLE" not in log
    assert found["requests"] == []
    assert found["overflow"] <= 0
    assert all(width > 100 for width in found["images"])
    assert len(found["images"]) == 1
    assert found["contrast"][0] >= 4.5, found["contrast"]
    assert found["up"] == sorted(found["before"]) != found["before"]
    assert found["state"] == "ascending"
    assert found["down"] == found["up"][::-1]
    assert found["ratios"] == sorted(found["ratios"])
    assert len(set(found["ratios"])) == len(VARIABLES)
    assert found["filters"]
    assert found["shown"] == ["stl1"]
    assert 0 < found["few"] < found["all"] == found["restored"]


def test_page_without_a_script_shows_everything(page):
    """Without scripts all rows are visible and the filters hidden."""
    text = re.sub(
        r"<script>.*?</script>", "", (page / "report" / "index.html").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    (page / "silent.html").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page / 'profile'}", "--dump-dom",
         (page / "silent.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    hidden = re.findall(r"<(\w+)[^>]* hidden", done.stdout)
    assert hidden == ["form"]
    assert done.stdout.count("<tr") == text.count("<tr") > 300
