#!/usr/bin/env python3
"""The HTML report as a person meets it: in headless Chromium, in both languages.

    python report.py YAGURA

Scans the sample account, opens the page from a file, and checks what is seen: the things to do first, the filters, a
finding opened, that nothing was logged as an error and that no request left the page.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "fixtures" / "company.bundle"
WAIT_S = 30


def browser(profile):
    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
                 "--window-size=1280,1600"):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def check(lang, yagura, folder):
    page = folder / f"report-{lang}.html"
    command = [yagura, "--data-dir", str(folder / "data"), "--lang", lang, "scan", "--bundle", str(BUNDLE)]
    subprocess.run(command + ["-o", "html", "--out", str(page), "--quiet"], check=True)
    lines = subprocess.run(command + ["-o", "ndjson"], check=True, capture_output=True, text=True).stdout.splitlines()
    verdicts = [json.loads(line) for line in lines]
    failing = [v for v in verdicts if v["status"] in ("fail", "unknown")]
    assert failing, "the sample account has nothing to show"

    with tempfile.TemporaryDirectory() as profile:
        driver = browser(profile)
        try:
            driver.get("about:blank")
            driver.get_log("performance")  # what the browser loaded for its own first page
            driver.get(page.as_uri())
            WebDriverWait(driver, WAIT_S).until(lambda d: d.find_elements(By.CSS_SELECTOR, "#findings tbody tr"))
            assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == lang
            assert len(driver.find_elements(By.CSS_SELECTOR, "section.first")) == 5
            tiles = driver.find_element(By.ID, "tiles").text
            assert str(sum(v["status"] == "fail" for v in verdicts)) in tiles, tiles
            rows = lambda: driver.find_elements(By.CSS_SELECTOR, "#findings tbody tr")  # noqa: E731
            shows = lambda count: WebDriverWait(driver, WAIT_S).until(  # noqa: E731
                lambda _: len(rows()) == count, f"expected {count} rows, there are {len(rows())}")

            Select(driver.find_element(By.ID, "level")).select_by_value("critical")
            critical = sum(v["level"] == "critical" for v in failing)
            shows(critical)

            search = driver.find_element(By.ID, "search")
            rule = next(v["rule"] for v in failing if v["level"] == "critical")
            search.send_keys(rule)
            expected = sum(v["rule"] == rule for v in failing)
            shows(expected)

            rows()[0].find_element(By.TAG_NAME, "summary").click()
            WebDriverWait(driver, WAIT_S).until(
                lambda _: rule in rows()[0].find_element(By.TAG_NAME, "details").text, "the finding does not open")
            assert rows()[0].find_element(By.TAG_NAME, "details").get_attribute("open") is not None

            search.clear()
            search.send_keys("no such thing anywhere")
            shows(1)

            errors = [e for e in driver.get_log("browser") if e["level"] == "SEVERE"]
            assert not errors, errors
            sent = [json.loads(e["message"])["message"] for e in driver.get_log("performance")]
            urls = [m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"]
            outside = [url for url in urls if not url.startswith(("file:", "data:", "chrome:"))]
            assert page.as_uri() in urls, "the log does not show the page itself"
            assert not outside, outside
        finally:
            driver.quit()
    print(f"browser: the {lang} report shows {len(failing)} findings")


def main():
    yagura = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        for lang in ("en", "ja"):
            check(lang, yagura, pathlib.Path(folder))


if __name__ == "__main__":
    main()
