"""Alarms of a real server: raised, held off, told to real receivers, acknowledged, over; across crashes, too."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.harness.alarm_receivers import TOKEN, Mailbox, Webhook, free_port
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until

Json = dict[str, Any]
SECRET = "hush-hush-hush"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


def ask(server: Server, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = server.api.request(method, f"/api/alarms{path}", **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def add_hook(server: Server, url: str, **more: object) -> Json:
    made: Json = ask(server, "POST", "/receivers", 201, json={"type": "webhook", "name": "NOC", "url": url, **more})
    return made


def add_rule(server: Server, condition: Json, *receivers: Json, **more: object) -> Json:
    body = {
        "name": "Watched",
        "condition": condition,
        "receivers": [one["id"] for one in receivers],
        "recoverAfter": 0,
        **more,
    }
    made: Json = ask(server, "POST", "/rules", 201, json=body)
    return made


def active(server: Server) -> list[Json]:
    found: list[Json] = ask(server, "GET", "")["items"]
    return found


def past(server: Server) -> list[Json]:
    found: list[Json] = ask(server, "GET", "?state=past")["items"]
    return found


def state(server: Server, receiver: Json) -> Json:
    found: Json = ask(server, "GET", f"/receivers/{receiver['id']}")["state"]
    return found


def deliveries_stored(server: Server) -> int:
    with closing(sqlite3.connect(f"file:{server.data_dir}/gateway.db?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM alarm_deliveries").fetchone()[0])


WAITING = {"kind": "waitingLongerThan", "seconds": 0}
LISTENER = [route(1, listener(4000), name="Paris", tags=["news"])]


class Held:
    """A UDP port that somebody else holds, so that no route can start on it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", port))

    def let_go(self) -> None:
        self._socket.close()


def test_a_failed_route_is_told_and_so_is_its_recovery(tmp_path: Path, hook: Webhook) -> None:
    holder = Held(4000)
    with Server(tmp_path, LISTENER) as server:
        (default,) = until(lambda: [a for a in active(server) if a["ruleId"] == "rule_1"], what="the default rule")
        assert (default["severity"], default["routeId"], default["routeName"]) == ("critical", "route_1", "Paris")
        assert "4000" in default["message"]
        receiver = add_hook(server, hook.url, secret=SECRET)
        rule = add_rule(server, {"kind": "routeFailed"}, receiver, routes=["news"], severity="info")
        until(lambda: hook.types() == ["alarmRaised"])
        (told,) = hook.bodies
        assert told["alarm"]["ruleId"] == rule["id"]
        assert (told["version"], told["alarm"]["routeId"], told["alarm"]["severity"]) == (1, "route_1", "info")
        signed = hmac.new(SECRET.encode(), hook.raw[0], hashlib.sha256).hexdigest()
        assert hook.headers[0]["X-SRT-Router-Signature"] == f"sha256={signed}"
        holder.let_go()
        until(lambda: hook.types() == ["alarmRaised", "alarmCleared"], 30)
        assert hook.bodies[1]["alarm"]["id"] == told["alarm"]["id"]
        assert hook.bodies[1]["alarm"]["clearedBecause"] == "recovered"
        assert [a["clearedBecause"] for a in past(server) if a["ruleId"] == rule["id"]] == ["recovered"]
        events = server.api.get("/api/events", params={"kind": ["alarmRaised", "alarmCleared"], "limit": 1000}).json()
        mine = [e for e in events["items"] if e["data"]["ruleId"] == rule["id"]]
        assert [(e["kind"], e["routeId"]) for e in mine] == [("alarmCleared", "route_1"), ("alarmRaised", "route_1")]
        health = server.api.get("/api/events", params={"limit": 1000}).text + server.log()
        assert SECRET not in health
        assert TOKEN not in health
        assert state(server, receiver)["lastSuccessAt"] is not None


def test_held_off_acknowledged_and_over(tmp_path: Path, hook: Webhook) -> None:
    with Server(tmp_path, LISTENER) as server:
        until(lambda: server.route("route_1")["status"] == "waiting")
        receiver = add_hook(server, hook.url)
        at_once = add_rule(server, WAITING, receiver, name="At once")
        add_rule(server, WAITING, receiver, name="Later", holdOff=3600)
        (alarm,) = until(lambda: active(server))
        assert (alarm["rule"], alarm["acknowledgedAt"]) == ("At once", None)
        acknowledged = ask(server, "POST", f"/{alarm['id']}/acknowledge")
        assert acknowledged["acknowledgedBy"]
        assert ask(server, "POST", f"/{alarm['id']}/acknowledge") == acknowledged, "the first one counts"
        assert active(server) == [acknowledged]
        ask(server, "PATCH", f"/rules/{at_once['id']}", json={"holdOff": 5, "name": "New name"})
        assert active(server) == [acknowledged], "it goes on"
        server.post("/api/routes/route_1/stop")
        (over,) = until(lambda: past(server))
        assert (over["id"], over["clearedMessage"]) == (alarm["id"], "the route is stopped")
        until(lambda: hook.types() == ["alarmRaised", "alarmCleared"])
        assert active(server) == []
        ask(server, "POST", "/alarm_1/acknowledge", 404)


@pytest.mark.parametrize("how", ["removed", "disabled", "routeRemoved"])
def test_an_alarm_ends_with_its_rule_or_route(tmp_path: Path, hook: Webhook, how: str) -> None:
    with Server(tmp_path, LISTENER) as server:
        rule = add_rule(server, WAITING, add_hook(server, hook.url))
        until(lambda: hook.types() == ["alarmRaised"])
        if how == "removed":
            ask(server, "DELETE", f"/rules/{rule['id']}", 204)
        elif how == "disabled":
            ask(server, "PATCH", f"/rules/{rule['id']}", json={"enabled": False})
        else:
            server.write_routes([route(2, listener(4002), autoStart=False)])
        until(lambda: hook.types() == ["alarmRaised", "alarmCleared"])
        because = {"removed": "ruleRemoved", "disabled": "ruleDisabled", "routeRemoved": "routeRemoved"}[how]
        assert hook.bodies[1]["alarm"]["clearedBecause"] == because


def test_a_receiver_that_answers_500_twice_is_tried_again(tmp_path: Path, hook: Webhook) -> None:
    hook.answers = [500, 503]
    with Server(tmp_path, LISTENER) as server:
        receiver = add_hook(server, hook.url)
        add_rule(server, WAITING, receiver)
        until(lambda: hook.types() == ["alarmRaised"])
        assert hook.tries == 3
        until(lambda: state(server, receiver)["lastError"] is None)
        events = server.api.get("/api/events", params={"kind": "alarmDeliveryFailed"}).json()["items"]
        assert [(e["data"]["receiver"], e["data"]["givenUp"]) for e in events] == [("NOC", 0)]
        assert "answers 500" in events[0]["data"]["error"]
        assert TOKEN not in json.dumps(events)


@pytest.mark.long
def test_a_receiver_that_hangs_holds_nobody(tmp_path: Path, hook: Webhook) -> None:
    with Webhook() as stuck, Server(tmp_path, LISTENER) as server:
        stuck.hanging.set()
        hanging = add_hook(server, stuck.url, name="Stuck")
        add_rule(server, WAITING, hanging, add_hook(server, hook.url))
        until(lambda: hook.types() == ["alarmRaised"])
        until(lambda: stuck.tries == 1)
        assert state(server, hanging)["waiting"] == 1
        server.post("/api/routes/route_1/stop")
        until(lambda: hook.types() == ["alarmRaised", "alarmCleared"])
        assert state(server, hanging)["waiting"] == 2
        outcome = ask(server, "POST", f"/receivers/{hanging['id']}/test")
        assert outcome["delivered"] is False
        assert "does not answer within 10 s" in outcome["error"]
        until(lambda: state(server, hanging)["lastError"])
        assert server.stop() == 0, "it does not hold the end of the server either"
        stuck.hanging.clear()
        server.start()
        # the route waits again, so that a third one follows
        until(lambda: stuck.types()[:2] == ["alarmRaised", "alarmCleared"])


def test_what_was_raised_survives_kill_9_and_is_delivered_once(tmp_path: Path, hook: Webhook) -> None:
    holder = Held(4000)
    with Server(tmp_path, LISTENER) as server:
        late_port = free_port()
        late = add_hook(server, f"http://127.0.0.1:{late_port}/", name="Late")
        rule = add_rule(server, {"kind": "routeFailed"}, add_hook(server, hook.url), late)
        until(lambda: hook.types() == ["alarmRaised"])
        until(lambda: state(server, late)["lastError"])
        until(lambda: deliveries_stored(server) == 1)
        (before,) = [a for a in active(server) if a["ruleId"] == rule["id"]]
        server.kill()
        server.start()
        until(lambda: server.route("route_1")["status"] == "failed")
        assert [a for a in active(server) if a["ruleId"] == rule["id"]] == [before]
        until(lambda: state(server, late)["lastError"])
        assert state(server, late)["waiting"] == 1
        server.kill()
        holder.let_go()
        server.start()
        until(lambda: hook.types() == ["alarmRaised", "alarmCleared"], 30)
        assert [a["id"] for a in past(server) if a["ruleId"] == rule["id"]] == [before["id"]]
        ask(server, "PATCH", f"/receivers/{late['id']}", json={"url": hook.url})
        until(lambda: sorted(hook.types()) == ["alarmCleared", "alarmCleared", "alarmRaised", "alarmRaised"])
        until(lambda: deliveries_stored(server) == 0)


def test_orphans_that_a_crash_left_are_told(tmp_path: Path) -> None:
    with Server(tmp_path, LISTENER) as server:
        server.until_all_up("route_1")
        assert not [a for a in past(server) + active(server) if a["kind"] == "orphanFound"]
        server.kill()
        server.start()

        def found() -> list[Json]:
            return [a for a in past(server) + active(server) if a["kind"] == "orphanFound"]

        (alarm,) = until(found)
        assert (alarm["routeId"], alarm["ruleId"]) == (None, "rule_3")
        assert "1 orphan(s) found" in alarm["message"]
        until(lambda: not active(server))


def test_numbers_of_a_real_stream(tmp_path: Path) -> None:
    on_air = route(1, listener(4000), listener(4001), udp(5001), testSource=True)
    with Server(tmp_path, [on_air]) as server:
        server.until_status("route_1", "running")
        low = add_rule(server, {"kind": "bitrateBelow", "mbps": 1000}, holdOff=3)
        add_rule(server, {"kind": "bitrateBelow", "mbps": 0.01}, name="Not raised", holdOff=2)
        quiet = [
            {"kind": "lossAbove", "percent": 50},
            {"kind": "busDropsAbove", "datagramsPerMinute": 1_000_000},
            {"kind": "continuityErrorsAbove", "errorsPerMinute": 1_000_000},
        ]
        for condition in quiet:
            add_rule(server, condition, name="Not raised")
        (alarm,) = until(lambda: active(server), what="the alarm about the bitrate")
        assert alarm["ruleId"] == low["id"]
        brought = float(alarm["message"].split()[3])
        assert 0.05 < brought < 100, alarm
        ask(server, "PATCH", f"/rules/{low['id']}", json={"condition": {"kind": "bitrateBelow", "mbps": 0.01}})
        until(lambda: [a["clearedBecause"] for a in past(server)] == ["recovered"])
        assert active(server) == []


async def test_the_live_feed_tells_active_alarms(tmp_path: Path) -> None:
    with Server(tmp_path, LISTENER) as server:
        rule = await asyncio.to_thread(add_rule, server, WAITING)
        await asyncio.to_thread(until, lambda: active(server))
        url = f"{server.api.base_url}api/live".replace("http:", "ws:")
        async with connect(url, max_size=None, proxy=None, additional_headers=server.signed_in()) as client:

            async def alarms() -> Json:
                async with asyncio.timeout(20):
                    while True:
                        message: Json = json.loads(await client.recv())
                        if message["type"] == "alarms":
                            return message

            first = await alarms()
            assert (first["total"], first["items"]) == (1, active(server))
            ask(server, "POST", f"/{first['items'][0]['id']}/acknowledge")
            assert (await alarms())["items"][0]["acknowledgedBy"]
            ask(server, "DELETE", f"/rules/{rule['id']}", 204)
            assert (await alarms())["items"] == []


def test_email(tmp_path: Path, mailbox: Mailbox) -> None:
    with Server(tmp_path, LISTENER, **mailbox.settings) as server:
        addresses = ["noc@example.org", "duty@example.org"]
        receiver = ask(server, "POST", "/receivers", 201, json={"type": "email", "name": "Duty", "to": addresses})
        outcome = ask(server, "POST", f"/receivers/{receiver['id']}/test")
        assert (outcome["delivered"], outcome["error"]) == (True, None)
        assert mailbox.mails[0]["Subject"].endswith("Test: messages of SRT Router reach you")
        add_rule(server, WAITING, receiver, name="Störung")
        until(lambda: len(mailbox.mails) == 2)
        assert mailbox.to[1] == addresses
        raised = mailbox.mails[1]
        assert (raised["From"], raised["To"]) == ("srt-router@example.org", ", ".join(addresses))
        text = raised.get_payload(decode=True)
        assert isinstance(text, bytes)
        assert "Störung" in text.decode()
        server.post("/api/routes/route_1/stop")
        until(lambda: len(mailbox.mails) == 3)
        assert "the route is stopped" in str(mailbox.mails[2].get_payload(decode=True))


def test_the_test_button_says_what_is_wrong(tmp_path: Path, hook: Webhook) -> None:
    with Server(tmp_path) as server:
        receiver = add_hook(server, hook.url)
        assert ask(server, "POST", f"/receivers/{receiver['id']}/test")["delivered"] is True
        assert hook.bodies[0]["alarm"] is None
        hook.answers = [302, 404]
        for words in ("302: redirects are not followed", "404"):
            outcome = ask(server, "POST", f"/receivers/{receiver['id']}/test")
            assert outcome["delivered"] is False
            assert words in outcome["error"]
        nobody = add_hook(server, f"https://127.0.0.1:{free_port()}/{TOKEN}")
        outcome = ask(server, "POST", f"/receivers/{nobody['id']}/test")
        assert "cannot be reached" in outcome["error"]
        not_tls = add_hook(server, hook.url.replace("http:", "https:"))
        outcome = ask(server, "POST", f"/receivers/{not_tls['id']}/test")
        assert "cannot be reached" in outcome["error"]
        assert TOKEN not in outcome["error"]
        mail = ask(server, "POST", "/receivers", 201, json={"type": "email", "name": "M", "to": ["a@example.org"]})
        assert "SMTP_HOST is not set" in ask(server, "POST", f"/receivers/{mail['id']}/test")["error"]
        ask(server, "POST", "/receivers/receiver_0/test", 404)


def test_rules_and_receivers_are_edited(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        assert [rule["id"] for rule in ask(server, "GET", "/rules")["items"]] == ["rule_1", "rule_2", "rule_3"]
        receiver = add_hook(server, "http://127.0.0.1:1/x", secret=SECRET)
        path = f"/receivers/{receiver['id']}"
        assert receiver["secret"] == "**********"
        sent = {key: receiver[key] for key in ("type", "name", "url", "secret", "enabled")}
        assert ask(server, "PUT", path, json={**sent, "name": "New"})["secret"] == "**********"
        assert ask(server, "PATCH", path, json={"secret": None})["secret"] is None
        rule = add_rule(server, WAITING, receiver)
        refused = ask(server, "DELETE", path, 409)
        assert refused["code"] == "alarmReceiverInUse"
        replaced = {"name": "R", "condition": {"kind": "lossAbove", "percent": 2}}
        assert ask(server, "PUT", f"/rules/{rule['id']}", json=replaced)["receivers"] == []
        ask(server, "DELETE", path, 204)
        ask(server, "GET", path, 404)
        unknown = ask(server, "PATCH", f"/rules/{rule['id']}", 404, json={"receivers": ["receiver_0"]})
        assert unknown["code"] == "alarmReceiverNotFound"
        wrong = ask(server, "PATCH", f"/rules/{rule['id']}", 422, json={"holdOff": -1, "colour": "red"})
        assert {error["field"] for error in wrong["errors"]} == {"body.holdOff", "body.colour"}
        ask(server, "POST", "/rules", 422, json={"name": "R", "condition": {"kind": "lossAbove"}})
        ask(server, "DELETE", "/rules/rule_1", 204)
        events = server.api.get("/api/events", params={"kind": "operatorAction", "limit": 100}).json()["items"]
        assert {"alarmReceiver.add", "alarmReceiver.change", "alarmRule.add", "alarmRule.remove"} <= {
            event["data"]["action"] for event in events
        }
        assert SECRET not in json.dumps(events)
        assert server.stop() == 0
        server.start()
        assert "rule_1" not in [rule["id"] for rule in ask(server, "GET", "/rules")["items"]]
