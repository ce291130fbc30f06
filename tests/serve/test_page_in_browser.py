"""The page of the server in a real Chromium: it compares two responses, shows what each token adds, and asks nobody else."""

import json
import re
import shutil
import subprocess

import pytest

from builders import tiny
from reward_server import reference, running
from rewardsmith.serve.page import PAGES

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = """<!doctype html><meta charset="utf-8"><body><iframe id="f" src="/" width="WIDTH" height="1500"></iframe>
<script src="/driver.js"></script>"""
SCRIPT = """
const frame = document.getElementById("f");
const wait = async (ready) => { for (let k = 0; k < 400 && !ready(); k++) await new Promise((go) => setTimeout(go, 25)); };
frame.addEventListener("load", async () => {
  const document = frame.contentDocument, part = (id) => document.getElementById(id);
  await wait(() => part("model").options.length);
  const hostile = "<img src=x onerror=\\"window.ran=1\\"><script>window.ran=1</" + "script> 好";
  part("prompt").value = "Name a fruit."; part("text-0").value = "A pear."; part("text-1").value = hostile;
  part("go").click();
  await wait(() => part("verdict").textContent || part("error").textContent);
  const english = part("verdict").textContent;
  part("language").click();
  const page = document.documentElement;
  window.document.body.textContent = "⟪" + JSON.stringify({
    verdict: english, error: part("error").textContent, facts: [part("facts-0").textContent, part("facts-1").textContent],
    tokens: [part("tokens-0").textContent, part("tokens-1").textContent], hostile,
    coloured: part("tokens-0").querySelectorAll("span[class]").length, titles: part("tokens-0").querySelector("span").title,
    ran: Boolean(frame.contentWindow.ran), go: part("go").textContent, lang: page.lang,
    wide: page.scrollWidth - page.clientWidth,
  }) + "⟫";
});
"""


@pytest.fixture(scope="module")
def server():
    with running({"tiny": tiny(head_scale=20.0)}, reference=reference()) as found:
        yield found


def test_the_pages_ask_nobody_else_and_allow_no_other_script(server):
    for path in PAGES:
        answer = server.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"https?://", answer.text)
    assert server.get("/").headers["content-type"].startswith("text/html")


def test_both_languages_say_the_same_things(server):
    script = server.get("/page.js").text
    english, chinese = (
        re.findall(r"\b(\w+): \"", script.split(f"  {name}: {{")[1].split("  },")[0]) for name in ("en", "zh")
    )
    assert english == chinese
    said = set(re.findall(r'data-say="(\w+)"', server.get("/").text))
    assert said <= set(english)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1200, 360])
def test_two_responses_side_by_side(server, tmp_path, monkeypatch, width):
    found = browsed(server, tmp_path, monkeypatch, width)
    assert found["error"] == ""
    assert re.fullmatch(r"margin -?\d+\.\d{4}, P\(first is better\) 0\.\d{3}", found["verdict"])
    body = {"prompt": "Name a fruit.", "responses": ["A pear.", found["hostile"]]}
    for shown, result in zip(found["facts"], server.post("/v1/score", body).json()["results"], strict=True):
        assert f"{result['reward']:.4f}" in shown
    assert found["tokens"][0].startswith("A pear.")
    assert found["tokens"][1].startswith(found["hostile"])
    assert not found["ran"]
    assert found["coloured"] > 2
    assert re.match(r"-?\d+\.\d{4} \([+-]", found["titles"])
    assert (found["go"], found["lang"]) == ("比较", "zh")
    assert found["wide"] <= 0


def browsed(server, folder, monkeypatch, width):
    """What a script finds on the page: a second page of the same origin, added for the test, has it in a frame."""
    from starlette.responses import Response

    app = server.server.config.app.app.app
    kinds = {"/driver": (DRIVER.replace("WIDTH", str(width)), "text/html"), "/driver.js": (SCRIPT, "text/javascript")}
    routes = list(app.router.routes)
    for path, (content, kind) in kinds.items():

        async def added(request, content=content, kind=kind):
            return Response(content, media_type=kind)

        app.add_route(path, added, methods=["GET"])
    monkeypatch.setattr("rewardsmith.serve.page.POLICY", "default-src 'self'")  # else no frame may show it
    try:
        words = [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--lang=en",
            f"--user-data-dir={folder}/profile",
        ]
        wait = ["--virtual-time-budget=20000", "--dump-dom", f"{server.address}/driver"]
        done = subprocess.run([*words, *wait], capture_output=True, check=True, timeout=300)
    finally:
        app.router.routes[:] = routes
    shown = done.stdout.decode(errors="replace")
    return json.loads(
        shown.split("⟪")[-1].split("⟫")[0].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    )


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_documentation_shows_every_route_without_a_network(server, tmp_path):
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    wait = ["--virtual-time-budget=10000", "--dump-dom", f"{server.address}/docs"]
    done = subprocess.run([*words, *wait], capture_output=True, check=True, timeout=300)
    shown = done.stdout.decode(errors="replace")
    for path in ("POST /v1/score", "POST /v1/rank", "GET /health/ready", "POST /get_reward"):
        assert path in shown
    assert "contract_hash" in shown
