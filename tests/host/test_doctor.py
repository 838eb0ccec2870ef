"""What a host's doctor judges of its own store and settings."""

from __future__ import annotations

from tests.host.conftest import HOST_FACTS, World

from muster.core.catalogue import error
from muster.core.products import DAY
from muster.core.settings import Value
from muster.health.probe import Advertised, ProbeResult
from muster.health.problem import Problem
from muster.health.report import Check, Mark, Report, Topic
from muster.health.rules import THIS_HOST, check_grant
from muster.host import doctor
from muster.host.act import grants, updates
from muster.host.act.enrol import install_key, remove_key
from muster.host.keys import find_key
from muster.host.model import PublisherNews
from muster.host.running import DNSPublishing, HostProcess
from muster.net.dns import Resolver
from muster.net.http import HTTPClient


def examine(host: World, process: HostProcess | None = None, **values: str | bool) -> Report:
    """The report of a host that does not run; without a target nothing of it is published."""
    nobody = Resolver(["127.0.0.1:9"], timeout=0.5)
    prober = doctor.Prober(nobody, HTTPClient(0.5), HTTPClient(0.5))
    settings: dict[str, Value] = {**(values or {"publish_dns": False})}
    (report,) = doctor.examine(
        prober, host.service.view(), settings, process=process, name="kms", now=host.clock.now()
    )
    return report


def failures(report: Report, code: str) -> list[Check]:
    return [check for check in report.checks if check.mark is Mark.FAIL and check.code == code]


def test_a_key_that_waits_beside_an_active_one_is_told(host: World) -> None:
    assert failures(examine(host), "host/not-activated") == []
    key = install_key(host.opened, host.publisher.host_key("office").text, HOST_FACTS)
    (check,) = failures(examine(host), "host/not-activated")
    assert key.key in check.what
    assert check.fix == "Run 'muster host activate'."


def test_a_key_that_was_refused_is_told_with_the_refusal(host: World) -> None:
    updates.update(host.opened, host.id, url="http://publisher.test")
    key = install_key(host.opened, host.publisher.host_key("office").text, HOST_FACTS)
    held = find_key(host.opened.current(), key.key)
    grants.wait(host.opened, held, "", error("publisher/key-revoked", key=key.key))
    (check,) = failures(examine(host), "publisher/key-revoked")
    assert key.key in check.what
    assert check.fix != "Run 'muster host activate'."
    assert failures(examine(host), "host/not-activated") == []


def test_a_key_that_waits_alone_is_not_told_to_be_installed(host: World) -> None:
    for held in host.service.view().publishers[host.id].keys:
        remove_key(host.opened, held.key_id)
    assert "install-key" in failures(examine(host), "host/no-key")[0].fix
    key = install_key(host.opened, host.publisher.host_key("office").text, HOST_FACTS)
    (check,) = failures(examine(host), "host/not-activated")
    assert (key.key in check.what, check.fix) == (True, "Run 'muster host activate'.")


def test_records_are_judged_by_what_the_process_was_started_with(host: World) -> None:
    """`host serve --advertise NAME`: the store knows nothing of it."""
    publishing = DNSPublishing(True, "", (), target="h7.corp.test", domains=("corp.test",))
    process = HostProcess(1, 2, answers=True, dns=publishing)
    of_records = [
        check.code for check in examine(host, process).checks if check.topic is Topic.RECORDS
    ]
    assert of_records == ["net/dns-timeout"] * 2, "they were asked for"
    (check,) = [one for one in examine(host).checks if one.topic is Topic.RECORDS]
    assert check.mark is Mark.SKIPPED


def test_a_host_without_records_is_not_told_to_withdraw_them(host: World) -> None:
    view = host.service.view().publishers[host.id]
    told = {}
    for found in (THIS_HOST, "beside it in DNS"):
        asked = ProbeResult(Advertised("127.0.0.1:16880", found, ours=True), host.clock.now())
        told[found], covers = check_grant(asked, host.id, view.label, view.trust, view.catalogue)
        assert not covers
    assert "advertised" not in told[THIS_HOST].what
    assert "host status" in told[THIS_HOST].fix
    assert "--withdraw" in told["beside it in DNS"].fix


def test_a_target_that_no_machine_can_reach_is_told(host: World) -> None:
    report = examine(host, dns_target="kms.localdomain", dns_zone="example.test")
    (check,) = failures(report, "host/dns-target")
    assert "dns_target" in check.fix


def test_news_that_are_old_or_failed_before_a_restart_are_told(host: World) -> None:
    now = host.clock.now()

    def told(process: HostProcess) -> list[Check]:
        return [check for check in examine(host, process).checks if "for news" in check.what]

    def process(good_at: int | None, code: str = "", *problems: Problem) -> HostProcess:
        news = (PublisherNews(host.id, now, good_at, code, now),)
        return HostProcess(1, now, answers=True, problems=problems, news=news)

    assert told(HostProcess(1, now, answers=True)) == []
    assert told(process(now)) == told(process(now - doctor.OLD_NEWS)) == []
    assert [check.mark for check in told(process(now - doctor.OLD_NEWS - 1))] == [Mark.WARN]
    for good_at in (now, None):
        assert [check.code for check in told(process(good_at, "net/refused"))] == ["net/refused"]

    # What the process says itself is not said twice.
    problem = Problem("news", "net/refused", "It is away.", "Wait.", now)
    assert told(process(now, "net/refused", problem)) == []


def test_news_by_file_that_are_old_are_told(host: World) -> None:
    def told(process: HostProcess | None) -> list[Check]:
        return [check for check in examine(host, process).checks if "No news of" in check.what]

    assert told(None) == []
    host.clock.pass_time(doctor.OLD_FILE + DAY)
    now = host.clock.now()
    (check,) = told(HostProcess(1, now, answers=True))
    assert "host catalogue import FILE" in check.fix
    assert told(None) == [check]
    news = (PublisherNews(host.id, now, now, "", now),)
    assert told(HostProcess(1, now, answers=True, news=news)) == []


def test_a_grant_that_ends_soon_is_told_while_no_other_of_its_group_goes_on(host: World) -> None:
    def ending() -> list[Check]:
        return [check for check in examine(host).checks if "which ends on" in check.what]

    host.enrol("office", term=2)
    assert ending() == []
    host.clock.pass_time(40 * DAY)
    (check,) = ending()
    assert (check.mark, check.topic) == (Mark.WARN, Topic.GRANT)
    assert "new host key" in check.fix
    host.enrol("office")
    assert ending() == []
