#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Look at a report in a real browser, headless Chromium.

browse.py PAGE OUT: at the widths of a desk and of a telephone, light and dark,
OUT/desk-light.png ... are taken. Fails if anything is said on the console or
fails to load, if anything but the page itself is asked for, if the page is
wider than the screen, if text of a plot is too small to read or sticks out of
it, or if pointing at a plot shows no values. Talks to the browser over its
debugging pipe (DevTools protocol), so no port is opened.
"""
import base64, json, os, subprocess, sys, tempfile

page, out = os.path.abspath(sys.argv[1]), sys.argv[2]
os.makedirs(out, exist_ok=True)
profile = tempfile.TemporaryDirectory()
to_read, to = os.pipe()
from_, from_write = os.pipe()


def fds():  # the browser wants 3 and 4
    a, b = os.dup(to_read), os.dup(from_write)
    os.dup2(a, 3)
    os.dup2(b, 4)


browser = subprocess.Popen(
    ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
     "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe",
     f"--user-data-dir={profile.name}", "about:blank"],
    preexec_fn=fds, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.close(to_read)
os.close(from_write)
pipe, events, buffer, count, session = os.fdopen(to, "wb"), [], b"", 0, None


def receive():
    global buffer
    while b"\0" not in buffer:
        got = os.read(from_, 1 << 20)
        if not got:
            raise SystemExit("the browser went away")
        buffer += got
    text, buffer = buffer.split(b"\0", 1)
    return json.loads(text)


def call(method, **params):
    global count
    count += 1
    message = {"id": count, "method": method, "params": params}
    if session:
        message["sessionId"] = session
    pipe.write(json.dumps(message).encode() + b"\0")
    pipe.flush()
    while True:
        answer = receive()
        if answer.get("id") == count:
            if "error" in answer:
                raise SystemExit(f"{method}: {answer['error']}")
            return answer["result"]
        events.append(answer)


def wait_for(method):
    while not any(e.get("method") == method for e in events):
        events.append(receive())


def evaluate(script):
    got = call("Runtime.evaluate", expression=script, returnByValue=True)
    if "exceptionDetails" in got:
        raise SystemExit(f"{script}: {got['exceptionDetails']}")
    return got["result"].get("value")


complaints = []


def check(ok, what):
    if not ok:
        complaints.append(what)


# Text of plots: its least height in pixels, and what sticks out of its plot.
MEASURE = """(() => {
  let least = 99, out = [];
  for (const svg of document.querySelectorAll("svg[data-box]")) {
    const frame = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      least = Math.min(least, parseFloat(getComputedStyle(text).fontSize) * frame.width / 480);
      if (box.left < frame.left - 1 || box.right > frame.right + 1) out.push(text.textContent);
    }
  }
  return {least, out, plots: document.querySelectorAll("svg[data-box]").length,
          wide: document.documentElement.scrollWidth, high: document.documentElement.scrollHeight};
})()"""

target = call("Target.createTarget", url="about:blank")["targetId"]
session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
for domain in "Page", "Runtime", "Log", "Network":
    call(domain + ".enable")
for name, wide, high, phone in ("desk", 1280, 900, False), ("phone", 360, 740, True):
    for scheme in "light", "dark":
        events.clear()
        call("Emulation.setDeviceMetricsOverride", width=wide, height=high, deviceScaleFactor=2 if phone else 1, mobile=phone)
        call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        call("Page.navigate", url="file://" + page)
        wait_for("Page.loadEventFired")
        seen = evaluate(MEASURE)
        where = f"{name}, {scheme}: "
        check(seen["plots"] >= 1, where + "no plot")
        check(seen["wide"] <= wide, where + f"{seen['wide']} pixels wide")
        check(seen["least"] >= 10, where + f"text of {seen['least']:.1f} pixels")
        check(not seen["out"], where + f"text sticks out: {seen['out']}")
        at = evaluate("""(() => { const svg = document.querySelector("svg[data-box]");
            svg.scrollIntoView({block: "center"}); const b = svg.getBoundingClientRect();
            return [b.left + b.width * 0.6, b.top + b.height * 0.5]; })()""")
        call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
        tip = evaluate('document.querySelector(".tip")?.textContent')
        check(tip and any(c.isdigit() for c in tip), where + f"pointing at a plot shows {tip!r}")
        box = evaluate('(() => { const b = document.querySelector(".tip").getBoundingClientRect(); return [b.left, b.right]; })()') if tip else [0, 0]
        check(box[0] >= 0 and box[1] <= wide, where + f"the tip is at {box}")
        shot = call("Page.captureScreenshot", captureBeyondViewport=True,
                    clip={"x": 0, "y": 0, "width": wide, "height": min(seen["high"], 8000), "scale": 1})
        with open(f"{out}/{name}-{scheme}.png", "wb") as f:
            f.write(base64.b64decode(shot["data"]))
        for e in events:
            kind, params = e.get("method"), e.get("params", {})
            if kind in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed"):
                check(False, where + f"{kind}: {json.dumps(params)[:400]}")
            if kind == "Network.requestWillBeSent":
                url = params["request"]["url"]
                check(url.split("#")[0] == "file://" + page or url.startswith("data:"), where + "asks for " + url)
        print(f"{where}{seen['plots']} plots, {seen['wide']} x {seen['high']} pixels, text {seen['least']:.1f} pixels, pointing: {tip}")
browser.terminate()
browser.wait()
for c in complaints:
    print("FAILED:", c, file=sys.stderr)
sys.exit(1 if complaints else 0)
