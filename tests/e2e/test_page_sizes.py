"""The live page of small and large fleets, calm and in trouble, from a phone to a large screen."""

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.support.literals.fleets import PER_SESSION, fleet
from tests.support.wait import wait_for
from tests.support.web.browser import page, rows

pytestmark = pytest.mark.long

# 640 is 1280 at a zoom of 200 %.
WIDTHS = (390, 640, 768, 1280, 1920)
SIZES = {1: 1, 15: 2, 150: 40}
_CUT = """
return [...document.querySelectorAll('#sections :is(h2, .pill), #needs .pill, header button')]
  .filter((each) => each.offsetParent && each.scrollWidth > each.clientWidth + 1)
  .map((each) => each.textContent)
"""


@pytest.mark.parametrize("trouble", [False, True], ids=["calm", "trouble"])
@pytest.mark.parametrize("agents", SIZES)
def test_every_width_shows_each_agent_with_its_session(chrome: Chrome, agents: int, trouble: bool) -> None:
    for width in WIDTHS:
        with page(chrome, fleet(agents, SIZES[agents], trouble=trouble), width=width):
            assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
            assert chrome.execute_script(_CUT) == []
            names = chrome.execute_script(
                "return [...document.querySelectorAll('#agents tbody .of-where')]"
                ".filter((each) => each.offsetParent && each.innerText).length"
            )
            assert names == agents, width
            assert bool(rows(chrome)) is trouble
            calm = chrome.find_element(By.ID, "needs").get_attribute("class") or ""
            assert ("is-calm" in calm) is not trouble


def test_servers_that_are_well_take_one_line_until_somebody_asks(chrome: Chrome) -> None:
    with page(chrome, fleet(8 * PER_SESSION, 40, trouble=False)) as feed:
        servers = chrome.find_element(By.ID, "servers")
        assert servers.text.split("\n") == ["Servers", "40", "all answer", "Show"]
        servers.find_element(By.CSS_SELECTOR, ".more").click()
        assert "team-40" in servers.text
        servers.find_element(By.CSS_SELECTOR, ".more").click()
        assert "team-40" not in servers.text
        feed.publish(report=fleet(8 * PER_SESSION, 40, trouble=True))
        wait_for(lambda: "not answering" in servers.text, "the one in trouble is shown", 60)


def test_what_the_host_has_left_is_said(chrome: Chrome) -> None:
    with page(chrome, fleet(1, trouble=False)):
        told = chrome.find_element(By.ID, "host").text
        assert told == "This host: 9.20 GiB of 16.0 GiB memory available, load 1.75, 321 processes"
