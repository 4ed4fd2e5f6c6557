"""Checks the demo's JSON, so that a demo that quietly lost something fails here."""

import json
import sys

FIELDS = ("captured_samples", "received_samples", "lost", "duplicated", "wire_bytes_per_sample", "orders",
          "tracking_tickets", "duration_ms")

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)

problems = [f"{name} is missing" for name in FIELDS if name not in report]
if not problems:
    if report["lost"] != 0 or report["duplicated"] != 0:
        problems.append("samples were lost or duplicated")
    if report["captured_samples"] <= 0 or report["captured_samples"] != report["received_samples"]:
        problems.append("captured and received samples differ")
    if report["orders"] <= 0 or report["tracking_tickets"] <= 0:
        problems.append("no order or no tracking ticket")
if problems:
    sys.exit("; ".join(problems))
print("the demo's figures hold")
