"""Starts a server in a temporary folder, gives a tester an order, runs a program that does the job by the bindings, and compares.

usage: against_server.py NAME FOLDER PROGRAM...
The program gets what it needs by the environment: CALLOUT_CHECK_API, _USER, _PASSWORD, _DATA, _PHOTO, _SAMPLES (per operator), and
_LISTENS, a file that it makes when the phone listens for wake-ups: then a second order is dispatched, which only a wake-up can bring.
"""

import csv
import datetime
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import zlib

SAMPLES = 240
OPERATORS = ("china_mobile", "china_unicom", "china_telecom")
PASSWORD = "a long password"


def png(side):
    """A photo that the server can decode."""
    rows = b"".join(b"\0" + bytes((x * 3 + y * 5) % 256 for x in range(side * 3)) for y in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Server:
    def __init__(self, folder):
        self.log_path = os.path.join(folder, "server.log")
        binary = os.path.join(os.environ["CALLOUT_BIN_DIR"], "callout")
        arguments = [binary, "serve", "--data-dir", os.path.join(folder, "data"), "--listen", "127.0.0.1:0"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT)
        self.api, self.admin_password = self.wait()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait(self):
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            text = self.log()
            api, password = re.search(r"http://127\.0\.0\.1:\d+", text), re.search(r"\b[a-z2-9]{20}\b", text)
            if api and password:
                try:
                    urllib.request.urlopen(api.group() + "/readyz", timeout=5)
                    return api.group(), password.group()
                except OSError:
                    pass
            time.sleep(0.05)
        sys.exit("the server did not start:\n" + self.log())

    def call(self, method, path, token=None, body=None):
        request = urllib.request.Request(self.api + path, method=method)
        if token:
            request.add_header("Authorization", "Bearer " + token)
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                text = answer.read().decode()
                return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")

    def sign_in(self, name, password):
        device = {"id": str(uuid.uuid4()), "name": "desk", "platform": "browser"}
        return self.call("POST", "/v1/sign-in", None, {"user_name": name, "password": password, "device": device})["access_token"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def order_dispatch(server):
    """A region, four people, a complaint, an order with the tester. Gives the order, how to dispatch another, and the lead's token."""
    admin = server.sign_in("admin", server.admin_password)
    # Rest hours are local, and the server's clock is what it is: take the offset at which it is ten in the morning now.
    offset = (10 - datetime.datetime.now(datetime.timezone.utc).hour) * 60
    ring = [[114.2, 30.5], [114.4, 30.5], [114.4, 30.6], [114.2, 30.6], [114.2, 30.5]]
    region = server.call("POST", "/v1/regions", admin, {
        "type": "Feature", "properties": {"name": "Riverside 滨河", "utc_offset_minutes": offset},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    })["id"]

    def person(name, role):
        return server.call("POST", "/v1/users", admin, {
            "user_name": name, "display_name": name, "password": PASSWORD, "roles": [role], "region_ids": [region]})["id"]

    person("agent", "customer_service_agent")
    person("dispatcher", "t1_dispatcher")
    tester = person("tester", "field_tester")
    person("lead", "regional_lead")
    agent, dispatcher = server.sign_in("agent", PASSWORD), server.sign_in("dispatcher", PASSWORD)

    def dispatch(number):
        complaint = server.call("POST", "/v1/complaints", agent, {
            "reference": f"EOMS-{number}", "channel": "eoms", "customer": {"name": "张三", "phone": f"1690000000{number}"},
            "description": "厨房没有信号", "symptom": "no_signal"})["id"]
        order = server.call("POST", f"/v1/complaints/{complaint}/classify", dispatcher, {"class": "network"})["work_order_id"]
        server.call("POST", f"/v1/work-orders/{order}/locate", dispatcher, {
            "address": "滨河路12号", "position": {"latitude": 30.55, "longitude": 114.31}})
        server.call("POST", f"/v1/work-orders/{order}/dispatch", dispatcher, {"tester_id": tester})
        return order

    return dispatch(1), lambda: dispatch(2), server.sign_in("lead", PASSWORD)


def compare(server, order, lead):
    problems = []

    def expect(what, found, wanted):
        if found != wanted:
            problems.append(f"{what}: {found!r}, expected {wanted!r}")

    expect("the order's state", server.call("GET", f"/v1/work-orders/{order}", lead)["state"], "submitted")
    tests = server.call("GET", f"/v1/work-orders/{order}/field-tests", lead)["items"]
    expect("field tests", len(tests), 1)
    test = server.call("GET", f"/v1/field-tests/{tests[0]['id']}", lead)
    expect("the findings' problem", (test["findings"] or {}).get("problem"), "室内弱覆盖 weak indoors")
    expect("missing blocks", test["missing_blocks"], [])
    expect("photos", [photo["state"] for photo in test["photos"]], ["stored"])
    for operator in OPERATORS:
        counts = [block["sample_count"] for block in test["blocks"] if block["operator"] == operator]
        expect(f"samples of {operator} in blocks", sum(counts), SAMPLES)
        text = server.call("GET", f"/v1/field-tests/{test['id']}/samples?operator={operator}", lead)
        expect(f"samples of {operator} as CSV", len(list(csv.DictReader(io.StringIO(text)))), SAMPLES)
    # Refused if the test lacked what its template asks for.
    review = {"decision": "approve", "quick_relief": "raise the power of the serving cell", "cure": "turn the antenna"}
    expect("the review", server.call("POST", f"/v1/field-tests/{test['id']}/review", lead, review)["state"], "approved")
    return problems


def main():
    name, folder, program = sys.argv[1], sys.argv[2], sys.argv[3:]
    folder = os.path.join(folder, "run-" + name)
    os.makedirs(folder)
    photo, listens = os.path.join(folder, "photo.png"), os.path.join(folder, "listens")
    with open(photo, "wb") as file:
        file.write(png(96))
    server = Server(folder)
    try:
        order, dispatch_another, lead = order_dispatch(server)
        environment = dict(
            os.environ, CALLOUT_CHECK_API=server.api, CALLOUT_CHECK_USER="tester", CALLOUT_CHECK_PASSWORD=PASSWORD,
            CALLOUT_CHECK_DATA=os.path.join(folder, "phone"), CALLOUT_CHECK_PHOTO=photo, CALLOUT_CHECK_SAMPLES=str(SAMPLES),
            CALLOUT_CHECK_LISTENS=listens)
        begun = time.monotonic()
        running = subprocess.Popen(program, env=environment)
        try:
            while running.poll() is None and time.monotonic() < begun + 300:
                if dispatch_another and os.path.exists(listens):
                    dispatch_another()
                    dispatch_another = None
                time.sleep(0.02)
        finally:
            if running.poll() is None:
                running.kill()
        if running.wait() != 0:
            sys.exit(f"the {name} program ended with {running.returncode}; the server said:\n{server.log()[-4000:]}")
        if dispatch_another:
            sys.exit(f"the {name} program did not listen")
        problems = compare(server, order, lead)
    finally:
        server.stop()
    if problems:
        sys.exit(f"{name}: " + "; ".join(problems))
    print(f"{name}: submitted and approved, {SAMPLES * len(OPERATORS)} samples and the photo arrived, {time.monotonic() - begun:.1f} s")


main()
